"""A real Kannel on this machine: bearerbox, smsbox and its fakesmsc, which stands for an operator."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

from sandbox.demo import free_port

PROGRAMS = ("bearerbox", "smsbox", "fakesmsc")
USERNAME, PASSWORD, SENDER = "tester", "foobar", "10690000"
MAX_MESSAGES = 3
DENIED = "^[+]999"
_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/kannel/test"
_RECEIVED = re.compile(r"Got message \d+: <(\S+) (\S+) (\S+) (.*)>$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[", re.MULTILINE)

# Groups are set apart by an empty line.
_CONFIGURATION = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
smsbox-port = {box}
smsbox-interface = 127.0.0.1
admin-password = bar
box-deny-ip = "*.*.*.*"
box-allow-ip = "127.0.0.1"
log-level = 1

group = smsc
smsc = fake
smsc-id = FAKE
port = {smsc}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
global-sender = {sender}
log-level = 1

group = sendsms-user
username = {username}
password = {password}
max-messages = {max_messages}
concatenation = true
default-smsc = FAKE
black-list-regex = "{denied}"

group = sms-service
keyword = default
{service}
max-messages = 0
catch-all = true
"""


def missing() -> list[str]:
    """Which of its programs this machine does not have."""
    return [name for name in PROGRAMS if shutil.which(name, path=_PLACES) is None]


class RealKannel:
    """`url` is that of sendsms; `received` what the operator was handed. What people answer goes to `get_url`."""

    def __init__(self, folder: Path, get_url: str | None = None) -> None:
        self._folder = folder
        self._service = 'text = "no service"' if get_url is None else f'get-url = "{get_url}"'
        self._ports = {name: free_port() for name in ("admin", "box", "smsc", "sendsms")}
        self._processes: list[asyncio.subprocess.Process] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._ports['sendsms']}/cgi-bin/sendsms"

    async def start(self) -> None:
        """Returns when a message would go through."""
        configuration = self._folder / "kannel.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                **self._ports,
                sender=SENDER,
                username=USERNAME,
                password=PASSWORD,
                max_messages=MAX_MESSAGES,
                denied=DENIED,
                service=self._service,
            ),
            "utf-8",
        )
        await self._run("bearerbox", str(configuration))
        await self._listening("box", "smsc")
        await self._run("smsbox", str(configuration))
        await self._listening("sendsms")
        # It reads its input for messages to send to us, and ends where that ends.
        await self._connect_operator("0")

    async def answer(self, number: str, kind: str, content: str) -> None:
        """The person at this number answers. `kind` is text, or ucs2 where `content` is percent-encoded UTF-16."""
        # bearerbox takes one operator at a time.
        await self._end(self._processes.pop())
        await self._connect_operator("1", f"{number} {SENDER} {kind} {content}")

    async def _connect_operator(self, count: str, *messages: str) -> None:
        await self._run("fakesmsc", "-H", "127.0.0.1", "-r", str(self._ports["smsc"]), "-m", count, *messages)
        await self._until(lambda: "Connecting to" in self._log("fakesmsc"))

    async def stop(self) -> None:
        for process in reversed(self._processes):
            await self._end(process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()

    def received(self) -> dict[str, str]:
        """The text that arrived at each number, its segments joined."""
        parts: dict[str, dict[int, bytes]] = defaultdict(dict)
        log = self._log("fakesmsc")
        starts = [found.start() for found in _LINE.finditer(log)]
        for start, end in zip(starts, [*starts[1:], len(log)], strict=True):
            found = _RECEIVED.search(log[start:end].rstrip("\n"))
            if found is not None:
                assert found[1] == SENDER
                place, part = _read(found[3], found[4])
                assert place not in parts[found[2]], "a segment came twice"
                parts[found[2]][place] = part
        # Kannel may cut a character of two units in two, so they are put together first.
        return {to: b"".join(part for _, part in sorted(of.items())).decode("utf-16-be") for to, of in parts.items()}

    def segments(self) -> int:
        """How many the operator was handed."""
        return self._log("fakesmsc").count("Got message ")

    async def _run(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=_PLACES)
        assert program is not None
        with (self._folder / f"{name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                program, *arguments, stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, cwd=self._folder
            )
        self._processes.append(process)

    async def _listening(self, *names: str) -> None:
        for name in names:
            port = self._ports[name]
            await self._until(lambda: _answers(port))  # noqa: B023 - it is called at once

    async def _until(self, look: Callable[[], bool], seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while not look():  # noqa: ASYNC110 - there is nobody to tell us
                await asyncio.sleep(0.05)

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text("utf-8", "replace")


def _read(kind: str, content: str) -> tuple[int, bytes]:
    """The place of a segment and its text in UTF-16, as fakesmsc writes them down."""
    if kind == "text":
        return 1, content.encode("utf-16-be")
    if kind == "ucs-2":
        return 1, _bytes(content)
    header, _, rest = content.partition(" data ")
    part = _bytes(rest)
    # It does not say the coding of a segment; our texts in UCS-2 always hold a byte that ASCII has not.
    is_ascii = all(32 <= byte < 127 for byte in part)
    return _bytes(header)[5], part.decode("ascii").encode("utf-16-be") if is_ascii else part


def _bytes(written: str) -> bytes:
    return unquote_to_bytes(written.replace("+", " "))


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
