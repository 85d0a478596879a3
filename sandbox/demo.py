"""The demo: both stand-ins and the bot, unchanged, as a child process pointed at them."""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.carriers.server import CarrierSandbox
from sandbox.carriers.tencent import TencentSandbox
from sandbox.demo_carriers import CARRIERS, applications, make_carrier
from sandbox.slack.core import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Timings
from sandbox.slack.server import HOST, SlackSandbox

HERE = Path(__file__).parent
MANIFEST = HERE.parent / "app_manifest.yaml"
STOP_SECONDS, LOG_LINES = 15.0, 15
# What Ana has done before you came, so that `group:vip` works from the first minute.
FIRST_PERSON, FIRST_CHANNEL = "U0ANA", "C0MARKETING"
FIRST_COMMAND = ("/sms-groups", "create name:vip type:notification")
BOT = (sys.executable, "-m", "bot", "run")
CHECK = (sys.executable, "-m", "bot", "check-config")
RECEIPTS = re.compile(r"http://\S+/receipts/\d+/[^\s…]+")
REPLIES = re.compile(r"http://\S+/replies/\d+/[^\s…]+")

Say = Callable[[str], None]


class CannotStart(Exception):
    """The demo cannot run; the message is the sentence people read."""


@dataclass(frozen=True)
class Settings:
    """`data` keeps the bot's database and log; None takes a fresh folder and removes it at the end."""

    port: int = 8000
    http: bool = False
    data: Path | None = None
    receipt_delay: tuple[float, float] = (0.5, 2.0)
    timings: Timings | None = None
    carrier: str = "huawei"
    manifest: Path = MANIFEST
    bot: tuple[str, ...] = BOT


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now. None that systems give to outgoing connections: one of those
    would take it before whoever asked for it listens.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


class Demo:
    """One run of the demo, until the bot ends or `stop` is asked for."""

    def __init__(self, settings: Settings, say: Say) -> None:
        if not settings.manifest.is_file():
            raise CannotStart(f"{settings.manifest} is missing: it says which commands and scopes the bot has.")
        self.settings = settings
        self.say = say
        self.stop = asyncio.Event()
        self.data = settings.data or Path(tempfile.mkdtemp(prefix="sms-demo-"))
        self.log = self.data / "bot.log"
        self.is_new = not (self.data / "sms.db").exists()
        self.bot_port = free_port()
        request_url = f"http://{HOST}:{self.bot_port}/slack/events" if settings.http else None
        self.slack = SlackSandbox(settings.manifest, request_url=request_url, timings=settings.timings)
        self.carrier: CarrierSandbox = make_carrier(settings.carrier, settings.receipt_delay)

    async def run(self) -> int:
        """Start everything, wait, stop everything. 0 when it was asked to stop, 1 when the bot ended by itself."""
        try:
            await self.open()
            bot = await self.start_bot()
            try:
                return await self._watch(bot)
            finally:
                await end(bot)
        finally:
            await self.close()

    async def open(self) -> None:
        """Start both stand-ins."""
        port = self.settings.port
        try:
            await self.slack.start(port)
        except OSError:
            raise CannotStart(f"Port {port} is in use: choose another with make demo PORT={port + 1}.") from None
        await self.carrier.start()

    async def close(self) -> None:
        """Stop both stand-ins."""
        await self.slack.stop()
        await self.carrier.stop()

    async def start_bot(self) -> asyncio.subprocess.Process:
        """Start the bot, pointed at the stand-ins, with whatever an earlier one left in the data folder."""
        return await self.start(self.settings.bot, self.log)

    async def start(self, command: Sequence[str], log: Path, **settings: str) -> asyncio.subprocess.Process:
        """Start a process of the bot with these settings in place of the demo's own; its output goes to `log`."""
        environment = self._environment() | settings
        with log.open("ab") as output:
            # A session of its own, so that Ctrl-C reaches only us and the bot is stopped the way a server is.
            return await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    async def tell_carrier(self) -> None:
        """What a person does in a carrier's console: enter the addresses of replies, and Tencent's of receipts, as
        `check-config` says them."""
        asked = await asyncio.create_subprocess_exec(
            *CHECK, env=self._environment(), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        said = (await asked.communicate())[0].decode("utf-8", "replace")
        if found := REPLIES.search(said):
            self.carrier.reply_callback = found[0] + self.carrier.reply_query
        if isinstance(self.carrier, TencentSandbox) and (found := RECEIPTS.search(said)):
            self.carrier.callback = found[0]

    def _environment(self) -> dict[str, str]:
        self.data.mkdir(parents=True, exist_ok=True)
        declared = self.data / "applications.toml"
        declared.write_text(applications(self.carrier.url, self.settings.carrier), "utf-8")
        ours = ("SLACK_", "SMS_", "LOG_", "HTTP_HOST", "HTTP_PORT", "DATABASE_URL", "PUBLIC_URL")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        way = {"SLACK_SIGNING_SECRET": SIGNING_SECRET} if self.settings.http else {"SLACK_APP_TOKEN": APP_TOKEN}
        return environment | {
            **way,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_API_URL": self.slack.api_url,
            "DATABASE_URL": f"sqlite:///{self.data.resolve() / 'sms.db'}",
            "HTTP_HOST": HOST,
            "HTTP_PORT": str(self.bot_port),
            "PUBLIC_URL": f"http://{HOST}:{self.bot_port}",
            "SMS_APPLICATIONS": str(declared.resolve()),
            **CARRIERS[self.settings.carrier].secrets,
        }

    async def _watch(self, bot: asyncio.subprocess.Process) -> int:
        ended = asyncio.create_task(bot.wait())
        stopped = asyncio.create_task(self.stop.wait())
        connected = asyncio.create_task(self._until_connected())
        try:
            await asyncio.wait({ended, stopped, connected}, return_when=asyncio.FIRST_COMPLETED)
            if connected.done() and not ended.done():
                if self.is_new:
                    self.slack.interactions.command(
                        FIRST_PERSON, self.slack.core.workspace.channels[FIRST_CHANNEL], *FIRST_COMMAND
                    )
                self._welcome()
                await self.tell_carrier()
                await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                self.say("Stopping…")
                return 0
            self._bot_died(ended.result())
            return 1
        finally:
            for task in (ended, stopped, connected):
                task.cancel()
            await asyncio.gather(ended, stopped, connected, return_exceptions=True)

    async def _until_connected(self) -> None:
        connected = self.slack.connected
        while not connected:
            await asyncio.sleep(0.02)
            connected = self.slack.connected

    def _welcome(self) -> None:
        self.say(f"Open {self.slack.url}/")
        samples = ", ".join(str(path) for path in sorted((HERE / "samples").glob("*.xlsx")))
        self.say(f"Drop one of these into #marketing: {samples}")
        self.say(f"The bot's log is {self.log}. Ctrl-C stops the demo.")

    def _bot_died(self, status: int) -> None:
        lines = self.log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
        self.say(f"The bot ended by itself with status {status}. The end of its log, {self.log}:")
        for line in lines:
            self.say(f"  {line}")

    def clean(self) -> None:
        """Remove the folder that was made for this run alone."""
        if self.settings.data is None:
            shutil.rmtree(self.data, ignore_errors=True)


async def end(bot: asyncio.subprocess.Process) -> None:
    """Ask the bot to stop, and make it after 15 s."""
    if bot.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        bot.terminate()
    try:
        await asyncio.wait_for(bot.wait(), STOP_SECONDS)
    except TimeoutError:
        bot.kill()
        await bot.wait()


async def run(settings: Settings, say: Say) -> int:
    """The demo's exit status; SIGINT and SIGTERM end it."""
    demo = Demo(settings, say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, demo.stop.set)
    status = 0
    try:
        status = await demo.run()
    finally:
        if status == 0:
            demo.clean()
    return status
