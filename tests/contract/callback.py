"""Where a stand-in's callbacks arrive."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from services.carriers.ports import Carrier, Receipt, ReceiptsRequest


class Callback:
    """Takes callbacks as they come. `url` is for receipts, `replies_url` for what people answer."""

    def __init__(self) -> None:
        self.url = self.replies_url = ""
        self._requests: asyncio.Queue[ReceiptsRequest] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        called = self.url if request.path.endswith("/receipts") else self.replies_url
        url = f"{called.partition('?')[0]}?{request.raw_path.partition('?')[2]}".rstrip("?")
        body = await request.read()
        self._requests.put_nowait(ReceiptsRequest(request.method, headers, dict(request.query), body, url))
        return web.json_response({"result": 0, "errmsg": "OK"})

    async def next(self) -> ReceiptsRequest:
        """Waits for one."""
        async with asyncio.timeout(5):
            return await self._requests.get()

    async def read(self, carrier: Carrier, count: int) -> list[Receipt]:
        """Waits until so many final receipts have come."""
        final: list[Receipt] = []
        while len(final) < count:
            receipts = carrier.read_receipts(await self.next())
            final += [receipt for receipt in receipts if receipt.status != "pending"]
        return final


@asynccontextmanager
async def listening(callback: Callback) -> AsyncIterator[None]:
    app = web.Application()
    # A carrier of another test, in another process, may still call a port that is ours by now.
    mine = f"/{secrets.token_hex(8)}"
    app.router.add_route("*", f"{mine}/receipts", callback.take)
    app.router.add_route("*", f"{mine}/replies", callback.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host = f"http://127.0.0.1:{runner.addresses[0][1]}{mine}"
    callback.url, callback.replies_url = f"{host}/receipts", f"{host}/replies"
    yield
    await runner.cleanup()
