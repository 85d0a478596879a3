"""/control/: what tests and the demo may do that nobody on Slack can. JSON in and out.

GET  /control/state         → every message, file, view, home tab, API call and event so far
POST /control/rate_limit    {method, times, retry_after} answers the next calls of a method with 429
POST /control/redeliver     {type?} sends the last event (of that type) again under its event_id
POST /control/drop_sockets  {reason?} closes every socket, with a disconnect message when a reason is given
"""

import dataclasses
from typing import Any

from aiohttp import web

from sandbox.slack.core import Core, Throttle
from sandbox.slack.delivery import Attempt
from sandbox.slack.sockets import SocketDelivery


class Control:
    """The routes under /control/."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def app(self) -> web.Application:
        """The sub-application to mount at /control/."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/state", self._state),
                web.post("/rate_limit", self._rate_limit),
                web.post("/redeliver", self._redeliver),
                web.post("/drop_sockets", self._drop_sockets),
            ]
        )
        return app

    def state(self) -> dict[str, Any]:
        """All that happened, oldest first."""
        core = self.core
        messages = [message for stored in core.workspace.messages.values() for message in stored.values()]
        return {
            "bot_connected": core.delivery.connected,
            "messages": [dataclasses.asdict(message) for message in sorted(messages, key=lambda m: m.ts)],
            "files": [core.api_file(file_id) for file_id in core.files.files],
            "views": list(core.views.views.values()),
            "open_views": {user: [v["id"] for v in core.views.stack(user)] for user in core.workspace.users},
            "homes": core.views.homes,
            "calls": core.calls,
            "events": core.delivery.events,
        }

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _rate_limit(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.core.throttles[body["method"]] = Throttle(body.get("times", 1), body.get("retry_after", 1))
        return web.json_response({"ok": True})

    async def _redeliver(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        wanted = body.get("type")
        events = [e for e in self.core.delivery.events if wanted in (None, e["event"]["type"])]
        if not events:
            return web.json_response({"error": "No such event was sent yet."}, status=409)
        missed = await self.core.delivery.try_event(events[-1], Attempt(1, "timeout"))
        return web.json_response({"ok": missed is None, "event_id": events[-1]["event_id"]})

    async def _drop_sockets(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        delivery = self.core.delivery
        dropped = await delivery.drop(body.get("reason")) if isinstance(delivery, SocketDelivery) else 0
        return web.json_response({"ok": True, "dropped": dropped})
