"""Socket Mode: single-use addresses, up to ten connections, each envelope to one of them."""

import asyncio
import contextlib
import json
import secrets
import time
from typing import Any

from aiohttp import web

from sandbox.slack.core import Core
from sandbox.slack.delivery import Answer, Attempt, Delivery, Kind, Undelivered
from sandbox.slack.workspace import APP_ID

CONNECTIONS = 10
_HOST = "applink-sandbox"


class SocketDelivery(Delivery):
    """The app holds WebSockets open to us; envelopes go to them in turn."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._sockets: list[web.WebSocketResponse] = []
        self._tickets: set[str] = set()
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._turn = 0

    @property
    def connected(self) -> bool:
        """True while at least one socket is open."""
        return bool(self._sockets)

    def new_address(self) -> str:
        """A WebSocket address that can be used once; the answer of apps.connections.open."""
        ticket = secrets.token_urlsafe(24)
        self._tickets.add(ticket)
        return f"{self.core.base_url.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={APP_ID}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """GET /link/: one Socket Mode connection, until either side closes it."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401, text="this address was used already or never given")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(timeout=1.0)
        await socket.prepare(request)
        if len(self._sockets) >= CONNECTIONS:
            await self._disconnect(socket, "too_many_websockets")
            return socket
        self._sockets.append(socket)
        self.core.live.state_changed()
        try:
            await socket.send_json(self._hello())
            async for message in socket:
                if message.type == web.WSMsgType.TEXT:
                    self._acknowledged(message.data)
        finally:
            if socket in self._sockets:
                self._sockets.remove(socket)
            self.core.live.state_changed()
        return socket

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": len(self._sockets),
            "debug_info": {"host": _HOST, "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": APP_ID},
        }

    def _acknowledged(self, data: str) -> None:
        try:
            envelope = json.loads(data)
            waiting = self._waiting.get(envelope["envelope_id"])
        except (ValueError, TypeError, KeyError):
            return
        if waiting is not None and not waiting.done():
            waiting.set_result(envelope.get("payload"))

    async def _send(self, envelope: dict[str, Any]) -> bool:
        while self._sockets:
            self._turn += 1
            socket = self._sockets[self._turn % len(self._sockets)]
            try:
                await socket.send_json(envelope)
            except (ConnectionError, RuntimeError):
                if socket in self._sockets:
                    self._sockets.remove(socket)
            else:
                return True
        return False

    async def _exchange(self, envelope: dict[str, Any]) -> Answer:
        envelope_id = envelope["envelope_id"] = secrets.token_hex(16)
        waiting = self._waiting[envelope_id] = asyncio.get_running_loop().create_future()
        try:
            if not await self._send(envelope):
                return Answer(failure="dispatch_failed")
            return Answer(await asyncio.wait_for(waiting, self.core.timings.acknowledge))
        except TimeoutError:
            return Answer(failure="operation_timeout")
        finally:
            del self._waiting[envelope_id]

    async def ask(self, kind: Kind, payload: dict[str, Any], *, accepts_payload: bool) -> Answer:
        """Send an envelope to one socket; a payload in the acknowledgement counts only where it is asked for."""
        envelope = {"type": kind, "payload": payload, "accepts_response_payload": accepts_payload}
        answer = await self._exchange(envelope)
        return answer if accepts_payload else Answer(failure=answer.failure)

    async def try_event(self, payload: dict[str, Any], attempt: Attempt) -> Undelivered | None:
        """Send an event; one sent while nothing is connected is lost, since Slack documents no redelivery of it."""
        envelope = {
            "type": "events_api",
            "payload": payload,
            "accepts_response_payload": False,
            "retry_attempt": attempt.number,
            "retry_reason": attempt.reason,
        }
        answer = await self._exchange(envelope)
        if answer.failure is None:
            return None
        never_sent = answer.failure == "dispatch_failed" and attempt.number == 0
        return Undelivered("timeout", again=not never_sent)

    async def _disconnect(self, socket: web.WebSocketResponse, reason: str) -> None:
        debug = {"host": _HOST, "at": int(time.time())}
        with contextlib.suppress(ConnectionError):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": debug})
        await socket.close()

    async def drop(self, reason: str | None) -> int:
        """Close every socket, with a disconnect message if a reason is given; how many there were."""
        dropped, self._sockets = self._sockets, []
        for socket in dropped:
            if reason is None:
                await socket.close(code=1011)
            else:
                await self._disconnect(socket, reason)
        self.core.live.state_changed()
        return len(dropped)

    async def start(self) -> None:
        """Nothing to do: the app comes to us."""

    async def stop(self) -> None:
        """Close every socket without a word."""
        await self.drop(None)
