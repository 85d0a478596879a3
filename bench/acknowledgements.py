"""How long Slack waits for a command's acknowledgement while the bot imports a large file.

The bot runs as it does in the demo, a process of its own over Socket Mode; the waiting is measured on Slack's side.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from sandbox.demo import Demo, Settings, end

PERSON, CHANNEL = "U0BEN", "C0MARKETING"
COMMANDS = (("/sms-help", ""), ("/sms-tasks", ""), ("/sms-import", "group:vip"))
_PAUSE_SECONDS = 0.05
_LONGEST_SECONDS = 300


def slowest_of_a_hundred(path: Path) -> float:
    """The 99th percentile in milliseconds, of commands typed 20 times a second from the file's drop to its last row."""
    return asyncio.run(_measure(path))


async def _measure(path: Path) -> float:
    with tempfile.TemporaryDirectory(prefix="sms-bench-") as folder:
        demo = Demo(Settings(port=0, data=Path(folder)), lambda line: None)
        await demo.open()
        bot = await demo.start_bot()
        try:
            async with aiohttp.ClientSession() as session:
                return await _while_importing(demo, session, path)
        finally:
            await end(bot)
            await demo.close()


async def _while_importing(demo: Demo, session: aiohttp.ClientSession, path: Path) -> float:
    connected = False
    while not connected:
        await asyncio.sleep(0.05)
        connected = demo.slack.connected
    await _acknowledgement(demo, "/sms-import", "group:vip type:notification")
    await asyncio.sleep(2)
    content = await asyncio.to_thread(path.read_bytes)
    form = aiohttp.FormData({"user": PERSON, "channel": CHANNEL, "text": "group:vip"}, quote_fields=False)
    form.add_field("file", content, filename=path.name)
    importing = asyncio.create_task(_import(demo, session, form))
    waited: list[float] = []
    while not importing.done():
        command, text = COMMANDS[len(waited) % len(COMMANDS)]
        waited.append(await _acknowledgement(demo, command, text))
        await asyncio.sleep(_PAUSE_SECONDS)
    await importing
    return sorted(waited)[int(len(waited) * 0.99)] * 1000


async def _import(demo: Demo, session: aiohttp.ClientSession, form: aiohttp.FormData) -> None:
    async with session.post(f"{demo.slack.url}/page/upload", data=form) as response:
        assert response.status == 200, await response.text()
    until = time.monotonic() + _LONGEST_SECONDS
    while True:
        messages = demo.slack.core.workspace.messages[CHANNEL].values()
        if any(" imported" in message.text for message in messages):
            return
        assert time.monotonic() < until, demo.log.read_text("utf-8")[-2000:]
        await asyncio.sleep(0.1)


async def _acknowledgement(demo: Demo, command: str, text: str) -> float:
    core = demo.slack.core
    payload: dict[str, Any] = {
        "team_id": "T0SANDBOX",
        "channel_id": CHANNEL,
        "user_id": PERSON,
        "command": command,
        "text": text,
        "response_url": core.base_url + core.response_urls.issue(PERSON, CHANNEL),
        "trigger_id": core.triggers.issue(PERSON),
    }
    start = time.perf_counter()
    answer = await core.delivery.ask("slash_commands", payload, accepts_payload=True)
    assert answer.failure is None, answer.failure
    return time.perf_counter() - start
