"""The demo as a person starts it: one command, one address, Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from sandbox.demo import HERE, free_port

pytestmark = pytest.mark.e2e

START_SECONDS = 20.0


@contextlib.asynccontextmanager
async def demo(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m sandbox`, and at the end nothing of it is left, whatever happened."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", *arguments),
        cwd=HERE.parent,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                each.kill()
        await process.communicate()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        return (await process.stdout.readline()).decode().rstrip()


def listeners(processes: list[psutil.Process]) -> list[str]:
    """The addresses on which any of these listens."""
    return [
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
    ]


async def test_the_demo_starts_listens_on_this_machine_only_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    async with demo("--port", str(port), "--data", str(tmp_path / "data")) as process:
        began = time.monotonic()
        assert await line(process) == f"Open http://127.0.0.1:{port}/"
        assert time.monotonic() - began < START_SECONDS
        assert "customers.xlsx" in await line(process)
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
            assert response.status == 200
            assert "<script" in await response.text()
        mine = psutil.Process(process.pid)
        family = [mine, *mine.children(recursive=True)]
        assert any(each.cmdline()[-3:] == ["-m", "bot", "run"] for each in family)
        addresses = listeners(family)
        # The page, the carrier, and the bot where it takes receipts.
        assert len(addresses) == 3
        assert all(ipaddress.ip_address(address).is_loopback for address in addresses)
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
        assert not [each for each in family if each.is_running()]
        assert "bot.stopped" in (tmp_path / "data" / "bot.log").read_text("utf-8")


async def test_a_port_in_use_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with demo("--port", str(port)) as process:
            said, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode() == f"Port {port} is in use: choose another with make demo PORT={port + 1}.\n"
    assert said == b""
