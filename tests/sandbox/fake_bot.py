"""A stand-in for the bot in the demo's own tests: says what it was given, connects as told, ends on SIGTERM.

Run as a process with one argument: `socket`, `http` or `die`.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping

import aiohttp
from aiohttp import web


def took(command: Mapping[str, object]) -> None:
    """Say which command came."""
    sys.stdout.write(f"{command['command']} {command['text']}\n")
    sys.stdout.flush()


async def hold_socket() -> None:
    """Keep one Socket Mode connection."""
    headers = {"Authorization": f"Bearer {os.environ['SLACK_APP_TOKEN']}"}
    async with aiohttp.ClientSession() as session:
        address = os.environ["SLACK_API_URL"] + "apps.connections.open"
        async with session.post(address, headers=headers) as response:
            url = (await response.json())["url"]
        async with session.ws_connect(url) as connection:
            async for message in connection:
                envelope = message.json()
                if envelope["type"] == "slash_commands":
                    took(envelope["payload"])
                    await connection.send_json({"envelope_id": envelope["envelope_id"]})


async def answer(request: web.Request) -> web.Response:
    """Do what url_verification asks for, and take commands."""
    if request.content_type != "application/json":
        took(await request.post())
        return web.Response()
    return web.json_response({"challenge": (await request.json())["challenge"]})


async def serve_http() -> None:
    """Answer at /slack/events."""
    app = web.Application()
    app.router.add_post("/slack/events", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, os.environ["HTTP_HOST"], int(os.environ["HTTP_PORT"])).start()
    await asyncio.Event().wait()


async def main(kind: str) -> None:
    """Run until SIGTERM, or end at once with status 3."""
    names = ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "DATABASE_URL", "PUBLIC_URL", "SMS_APPLICATIONS")
    sys.stdout.write(json.dumps({name: os.environ.get(name) for name in names}) + "\n")
    sys.stdout.flush()
    if kind == "die":
        sys.stdout.write("SLACK_BOT_TOKEN is wrong\n")
        sys.exit(3)
    work = asyncio.create_task(hold_socket() if kind == "socket" else serve_http())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    await asyncio.wait({work})
    sys.stdout.write("ended in peace\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
