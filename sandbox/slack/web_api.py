"""The Web API: takes a call apart as Slack does, judges token, scopes and arguments, and finds the method."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

from sandbox.slack.core import APP_TOKEN, BOT_TOKEN, Core
from sandbox.slack.posting import from_json
from sandbox.slack.tickets import Refused, bad_arguments
from sandbox.slack.workspace import Channel, Message, User

Result = dict[str, Any]
TokenKind = Literal["bot", "app", "none"]


@dataclass
class Call:
    """One call of a method: where it is made, and its arguments by name, as they came."""

    core: Core
    args: dict[str, Any]

    def text(self, name: str, default: str = "") -> str:
        """An argument as text."""
        value = self.args.get(name)
        return default if value is None else str(value)

    def flag(self, name: str) -> bool:
        """A boolean argument, given as a JSON boolean, "true" or 1."""
        return str(self.args.get(name, "")).lower() in ("true", "1")

    def number(self, name: str, default: int) -> int:
        """A whole number, refused when it is none."""
        value = self.text(name)
        if value and not value.isdecimal():
            raise bad_arguments(f"must be a number [json-pointer:/{name}]")
        return int(value) if value else default

    def read(self, name: str, error: str = "invalid_arguments") -> Any:
        """A JSON argument, given as text or as it is; None when it is missing."""
        return from_json(self.args.get(name), error)

    def need(self, scope: str) -> None:
        """Refuse unless the app's manifest asks for this scope."""
        granted = self.core.manifest.scopes
        if scope not in granted:
            raise Refused("missing_scope", needed=scope, provided=",".join(sorted(granted)))

    def channel(self, name: str = "channel", *, member: bool = True) -> Channel:
        """The conversation an argument names: by id, or as #name, or a person's id for their IM."""
        workspace, wanted = self.core.workspace, self.text(name)
        found = workspace.channels.get(wanted)
        if found is None and wanted in workspace.users and not workspace.users[wanted].is_bot:
            found = workspace.im_with(wanted)
        if found is None:
            found = next((c for c in workspace.channels.values() if c.name and c.name == wanted.lstrip("#")), None)
        if found is None or (found.kind != "channel" and not workspace.bot_is_in(found)):
            raise Refused("channel_not_found")
        if member and not workspace.bot_is_in(found):
            raise Refused("not_in_channel")
        return found

    def message(self, channel: Channel, name: str = "ts") -> Message:
        """The message an argument names by its timestamp; private messages are not to be found."""
        found = self.core.workspace.find(channel.id, self.text(name))
        if found is None:
            raise Refused("message_not_found")
        return found

    def user(self, name: str = "user") -> User:
        """The person an argument names by id."""
        found = self.core.workspace.users.get(self.text(name))
        if found is None:
            raise Refused("user_not_found")
        return found


Function = Callable[[Call], Result]


@dataclass(frozen=True)
class Method:
    """A method: the token it takes, the scopes of which it needs all, and the arguments it cannot do without."""

    function: Function
    scopes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    token: TokenKind = "bot"


Methods = Mapping[str, Method]


async def read_arguments(request: web.Request) -> dict[str, Any]:
    """Arguments from the query string, a form or a JSON body; where one comes twice the body's counts."""
    args: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        body = await request.text()
        try:
            content = json.loads(body) if body else {}
        except ValueError:
            raise Refused("invalid_json") from None
        if not isinstance(content, dict):
            raise Refused("json_not_object")
        args |= content
    elif request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    return args


def bearer(request: web.Request) -> str:
    """The token in the Authorization header."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class WebApi:
    """POST or GET /api/<method>."""

    def __init__(self, core: Core, methods: Methods) -> None:
        self.core = core
        self.methods = methods

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one call; everything but a throttled call has status 200, as on Slack."""
        name = request.match_info["method"]
        shown: dict[str, Any] = {}
        headers: dict[str, str] = {}
        status = 200
        try:
            args = await read_arguments(request)
            shown = {key: value for key, value in args.items() if key != "token"}
            retry_after = self._throttled(name)
            if retry_after is not None:
                status, headers["Retry-After"] = 429, str(retry_after)
                raise Refused("ratelimited")
            result = {"ok": True, **self._call(name, args, bearer(request) or str(args.get("token", "")), headers)}
        except Refused as refused:
            result = {"ok": False, "error": refused.error, **refused.extra}
        call = {"method": name, "args": shown, "ok": result["ok"], "error": result.get("error"), "at": time.time()}
        self.core.calls.append(call)
        return web.json_response(result, status=status, headers=headers)

    def _throttled(self, name: str) -> int | None:
        throttle = self.core.throttles.get(name)
        if throttle is None or throttle.times <= 0:
            return None
        throttle.times -= 1
        return throttle.retry_after

    def _call(self, name: str, args: dict[str, Any], token: str, headers: dict[str, str]) -> Result:
        method = self.methods.get(name)
        if method is None:
            raise Refused("unknown_method", req_method=name)
        _check_token(token, method.token)
        if method.token == "bot":
            if self.core.refusal is not None:
                raise Refused(self.core.refusal)
            headers["x-oauth-scopes"] = ",".join(sorted(self.core.manifest.scopes))
        call = Call(self.core, args)
        for scope in method.scopes:
            headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
            call.need(scope)
        missing = [need for need in method.needs if args.get(need) in (None, "")]
        if missing:
            raise bad_arguments(*(f"missing required field: {need}" for need in missing))
        return method.function(call)


def _check_token(token: str, wanted: TokenKind) -> None:
    if wanted == "none":
        return
    if not token:
        raise Refused("not_authed")
    if token not in (BOT_TOKEN, APP_TOKEN):
        raise Refused("invalid_auth")
    if token != (BOT_TOKEN if wanted == "bot" else APP_TOKEN):
        raise Refused("not_allowed_token_type")
