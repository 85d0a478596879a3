"""The stand-in for Slack as a whole: one HTTP server on 127.0.0.1 with Web API, sockets, files, page and controls."""

import json
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.slack.control import Control
from sandbox.slack.core import BOT_TOKEN, SIGNING_SECRET, Core, Timings
from sandbox.slack.events import EventFeed
from sandbox.slack.files import receive_upload, send_private_file
from sandbox.slack.http_delivery import HttpDelivery
from sandbox.slack.interactions import Interactions
from sandbox.slack.live import LivePages
from sandbox.slack.manifest import Manifest, parse_manifest, read_manifest
from sandbox.slack.methods import METHODS
from sandbox.slack.page_server import PageServer, serve_page
from sandbox.slack.responses import answer
from sandbox.slack.sockets import SocketDelivery
from sandbox.slack.tickets import Refused
from sandbox.slack.web_api import WebApi, bearer

HOST = "127.0.0.1"


class SlackSandbox:
    """A workspace with one app installed, served at `url` between start and stop.

    The app is reached over Socket Mode, or with `request_url` by signed POSTs to that one address.
    `api_url` is what the app's Web API client takes as its base.
    """

    def __init__(
        self,
        manifest: Path | dict[str, Any],
        *,
        request_url: str | None = None,
        signing_secret: str = SIGNING_SECRET,
        timings: Timings | None = None,
    ) -> None:
        read: Manifest = read_manifest(manifest) if isinstance(manifest, Path) else parse_manifest(manifest)
        self.core = Core(read, timings or Timings())
        self.core.live = LivePages(self.core)
        self.core.delivery = (
            SocketDelivery(self.core) if request_url is None else HttpDelivery(self.core, request_url, signing_secret)
        )
        self.feed = EventFeed(self.core)
        self.interactions = Interactions(self.core, self.feed)
        self.control = Control(self.core)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the page is, without a slash at the end."""
        return self.core.base_url

    @property
    def api_url(self) -> str:
        """Where the Web API is, with a slash at the end."""
        return f"{self.core.base_url}/api/"

    @property
    def connected(self) -> bool:
        """True while the app can be reached."""
        return self.core.delivery.connected

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one. Raises OSError when the port is in use."""
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self.core.base_url = f"http://{HOST}:{self._runner.addresses[0][1]}"
        await self.core.delivery.start()

    async def stop(self) -> None:
        """Close every connection and the port."""
        self.core.live.stop()
        await self.core.stop_tasks()
        await self.core.delivery.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=1024**3)
        api = WebApi(self.core, METHODS)
        page = PageServer(self.core, self.feed, self.interactions)
        routes = [
            web.get("/api/{method}", api.serve),
            web.post("/api/{method}", api.serve),
            web.post("/upload/v1/{ticket}", self._upload),
            web.get("/files-pri/{key}/{name}", self._file),
            web.get("/files-pri/{key}/download/{name}", self._file),
            web.post("/commands/respond/{key}", self._respond),
            web.post("/actions/respond/{key}", self._respond),
            web.get("/", serve_page),
        ]
        if isinstance(self.core.delivery, SocketDelivery):
            routes.append(web.get("/link/", self.core.delivery.serve))
        app.add_routes(routes)
        app.add_subapp("/page/", page.app())
        app.add_subapp("/control/", self.control.app())
        app.add_routes([web.get("/{name:.+}", serve_page)])
        return app

    async def _upload(self, request: web.Request) -> web.Response:
        return await receive_upload(self.core.files, request)

    async def _file(self, request: web.Request) -> web.Response:
        allowed = bearer(request) == BOT_TOKEN and "files:read" in self.core.manifest.scopes
        return await send_private_file(self.core.files, request, allowed=allowed)

    async def _respond(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.text())
        except ValueError:
            return web.Response(status=400, text="invalid_payload")
        try:
            answer(self.core, self.core.response_urls.use(request.match_info["key"]), body)
        except Refused as refused:
            spent = refused.error in ("used_url", "expired_url", "invalid_url")
            return web.json_response(
                {"ok": False, "error": refused.error, **refused.extra}, status=404 if spent else 400
            )
        return web.Response(text="ok")
