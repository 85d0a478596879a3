"""What stands between us and a carrier, and answers in its place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class Proxy:
    """Answers every request with `answer`, a status and a body."""

    def __init__(self) -> None:
        self.url = ""
        self.requests = 0
        self.answer: tuple[int, bytes] = (404, b"<html>Not found</html>")

    async def take(self, request: web.Request) -> web.Response:
        await request.read()
        self.requests += 1
        status, body = self.answer
        return web.Response(status=status, body=body)


@asynccontextmanager
async def answering() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", proxy.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield proxy
    await runner.cleanup()
