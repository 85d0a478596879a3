"""A stand-in for the web server in front of several `run`: passes each request on to one of them."""

from __future__ import annotations

from collections import Counter

import aiohttp
from aiohttp import web

from sandbox.slack.server import HOST

# What an HTTP server says of its own connection, and writes anew.
ITS_OWN = ("Content-Length", "Transfer-Encoding", "Connection", "Date", "Server")


class LoadBalancer:
    """Passes requests on in turn. Each kind takes turns by itself, so that an event in between does not change who
    gets the next click."""

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}
        self._passed_on: Counter[object] = Counter()
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        """Listen. Until there is somebody to pass requests on to they are answered 503."""
        self._session = aiohttp.ClientSession()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def add(self, name: str, port: int) -> None:
        """Pass requests on to this one too."""
        self._ports[name] = port

    def begin_with(self, name: str) -> None:
        """Of every kind, the next request goes to this one, and the one after it to another."""
        self._ports = {name: self._ports.pop(name), **self._ports}
        self._passed_on.clear()

    async def _pass_on(self, request: web.Request) -> web.Response:
        assert self._session is not None
        if not self._ports:
            raise web.HTTPServiceUnavailable
        body = await request.read()
        url = f"http://{HOST}:{self._whose_turn(request, body)}{request.raw_path}"
        try:
            async with self._session.request(request.method, url, data=body, headers=request.headers) as answer:
                headers = {name: value for name, value in answer.headers.items() if name not in ITS_OWN}
                return web.Response(status=answer.status, body=await answer.read(), headers=headers)
        except aiohttp.ClientError as error:
            raise web.HTTPBadGateway from error

    def _whose_turn(self, request: web.Request, body: bytes) -> int:
        """Slack's commands, its interactions and its events are three kinds at one address."""
        kind = (request.path, request.content_type, body.startswith(b"payload="))
        ports = [*self._ports.values()]
        port = ports[self._passed_on[kind] % len(ports)]
        self._passed_on[kind] += 1
        return port
