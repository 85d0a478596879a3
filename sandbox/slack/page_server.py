"""The page's side of the workspace: what a browser sends when a person types, drops a file, presses a button."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.slack.core import Core
from sandbox.slack.events import EventFeed
from sandbox.slack.files import download_response
from sandbox.slack.interactions import Interactions, NotPossible
from sandbox.slack.workspace import Channel, Message

DIST = Path(__file__).parent / "page" / "dist"


def _refusal(text: str, status: int = 400) -> web.Response:
    return web.json_response({"error": text}, status=status)


@web.middleware
async def sentences(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn what cannot be done into {"error": sentence}."""
    try:
        return await handler(request)
    except NotPossible as problem:
        return _refusal(str(problem))


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        raise NotPossible("The request is no JSON.") from None
    if not isinstance(body, dict):
        raise NotPossible("The request is no JSON object.")
    return body


class PageServer:
    """The routes under /page/, and the page itself at /."""

    def __init__(self, core: Core, feed: EventFeed, interactions: Interactions) -> None:
        self.core = core
        self.feed = feed
        self.interactions = interactions

    def app(self) -> web.Application:
        """The sub-application to mount at /page/."""
        app = web.Application(middlewares=[sentences], client_max_size=1024**3)
        app.add_routes(
            [
                web.get("/state", self._state),
                web.get("/messages", self._messages),
                web.get("/live", self._live),
                web.get("/files/{id}/{name}", self._file),
                web.post("/message", self._post),
                web.post("/upload", self._upload),
                web.post("/command", self._command),
                web.post("/action", self._action),
                web.post("/view_submit", self._submit),
                web.post("/view_close", self._close),
            ]
        )
        return app

    def _user(self, user: Any) -> str:
        found = self.core.workspace.users.get(str(user))
        if found is None or found.is_bot:
            raise NotPossible(f"There is no person {user} in this workspace.")
        return found.id

    def _channel(self, channel: Any, user: str) -> Channel:
        found = self.core.workspace.channels.get(str(channel))
        if found is None or user not in found.members:
            raise NotPossible("You are in no such channel.")
        return found

    def _place(self, given: dict[str, Any]) -> tuple[str, Channel]:
        user = self._user(given.get("user"))
        return user, self._channel(given.get("channel"), user)

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self.core.live.state(self._user(request.query.get("user"))))

    async def _messages(self, request: web.Request) -> web.Response:
        user, channel = self._place(dict(request.query))
        self.core.workspace.last_read[user, channel.id] = self.core.workspace.new_ts()
        if channel.kind == "im":
            self.feed.home_opened(user, "messages")
        return web.json_response({"messages": self.core.live.messages(channel, user)})

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        return await self.core.live.serve(request, self._user(request.query.get("user")))

    async def _file(self, request: web.Request) -> web.Response:
        user = self._user(request.query.get("user"))
        file = self.core.files.files.get(request.match_info["id"])
        channels = self.core.workspace.channels
        if file is None or not any(user in channels[channel].members for channel in file.shares):
            return _refusal("There is no such file.", 404)
        return download_response(file)

    def _say(self, given: dict[str, Any], files: list[str]) -> web.Response:
        user, channel = self._place(given)
        text = str(given.get("text") or "")
        if not text.strip() and not files:
            raise NotPossible("Write something first.")
        workspace = self.core.workspace
        thread = given.get("thread_ts") or None
        parent = workspace.find(channel.id, thread)
        if thread is not None and parent is None:
            raise NotPossible("That thread is gone.")
        message = Message(
            channel.id,
            workspace.new_ts(),
            user,
            workspace.as_typed(text),
            files=files,
            thread_ts=(parent.thread_ts or parent.ts) if parent else None,
            subtype="file_share" if files else None,
        )
        self.core.files.share(files, channel.id, message.ts)
        workspace.post(message)
        return web.json_response({"ok": True, "ts": message.ts})

    async def _post(self, request: web.Request) -> web.Response:
        return self._say(await _body(request), [])

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        user, _ = self._place(fields)
        parts = [part for part in form.getall("file", []) if isinstance(part, web.FileField)]
        if not parts:
            raise NotPossible("Choose a file first.")
        return self._say(fields, [self.core.files.add(p.filename, user, p.file.read()).id for p in parts])

    async def _command(self, request: web.Request) -> web.Response:
        body = await _body(request)
        user, channel = self._place(body)
        text = str(body.get("text") or "").strip()
        self.interactions.command(user, channel, str(body.get("command")), text)
        return web.json_response({"ok": True})

    async def _action(self, request: web.Request) -> web.Response:
        body = await _body(request)
        user = self._user(body.get("user"))
        action = body.get("action")
        if not isinstance(action, dict):
            raise NotPossible("No action was given.")
        self.interactions.action(user, body, action, (body.get("state") or {}).get("values", {}))
        return web.json_response({"ok": True})

    async def _submit(self, request: web.Request) -> web.Response:
        body = await _body(request)
        values = (body.get("state") or {}).get("values", {})
        errors = await self.interactions.submit(self._user(body.get("user")), str(body.get("view_id")), values)
        return web.json_response({"ok": True} if errors is None else {"ok": False, "errors": errors})

    async def _close(self, request: web.Request) -> web.Response:
        body = await _body(request)
        self.interactions.close_view(self._user(body.get("user")), str(body.get("view_id")))
        return web.json_response({"ok": True})


async def serve_page(request: web.Request) -> web.StreamResponse:
    """GET / and the page's own files; never a browser's old copy, since the bundle's names do not change."""
    name = request.match_info.get("name") or "index.html"
    path = (DIST / name).resolve()
    if not path.is_relative_to(DIST) or not path.is_file():
        return web.Response(status=404, text="There is no such page.")
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})
