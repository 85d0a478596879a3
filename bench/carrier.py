"""As fast a carrier as can be: it answers Huawei's batchSendSms and checks nothing, so that what is measured is us.

`python -m bench.carrier [LATENCY_SECONDS]` prints its address and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

import uvloop
from aiohttp import web

_ENTRY = (
    '{{"total":1,"originTo":"+{number}","createTime":"2026-01-01T00:00:00Z","from":"csms100000001",'
    '"smsMsgId":"{request}_{index}","countryId":"CN","status":"000000"}}'
)


def main() -> None:
    """Serve on a free port of 127.0.0.1."""
    uvloop.run(_serve(float(sys.argv[1]) if sys.argv[1:] else 0.0))


async def _serve(latency_seconds: float) -> None:
    requests = itertools.count(1)

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        if latency_seconds:
            await asyncio.sleep(latency_seconds)
        numbers = body.rpartition(b"&to=")[2].decode().split("%2C")
        no = next(requests)
        entries = [
            _ENTRY.format(number=number.removeprefix("%2B"), request=no, index=index)
            for index, number in enumerate(numbers, start=1)
        ]
        text = f'{{"code":"000000","description":"Success","result":[{",".join(entries)}]}}'
        return web.Response(text=text, content_type="application/json")

    app = web.Application(client_max_size=1 << 20)
    app.router.add_post("/sms/batchSendSms/v1", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
