"""What `python -m bot run` adds to a process: Slack, its use cases, what carriers report, and the ticks.

The parts are made here, in one place, and handed to each other by name.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta

import aiohttp
import structlog
from aiohttp import web
from slack_bolt.async_app import AsyncApp

from bot.announcer import Announcer
from bot.application_settings import ApplicationSettings, declaration
from bot.applications_file import RetentionSettings
from bot.bad_config import BadConfig
from bot.config import Config
from bot.downloads import Downloads
from bot.health import Health, Verdict, database_part, ticks_verdict
from bot.import_runner import ImportRunner
from bot.inbox import Inbox
from bot.installations import Installations, States
from bot.leadership import Leadership
from bot.oauth import authorizing, install_routes, installations_of, listen_for_removal, make_flow
from bot.process import Process
from bot.receipt_puller import ReceiptPuller
from bot.receipt_writer import ReceiptWriter
from bot.roles import Roles
from bot.scheduler import START_EVERY_SECONDS, Ticks
from bot.sending import Connected
from bot.slack_app import Edge
from bot.slack_calls import make_client, slack_client
from bot.slack_connection import SlackConnection
from bot.use_cases import Services, make_services
from bot.web import make_web_app, signs_of_life
from bot.workspaces import Workspaces, ask_home, find_workspaces
from handlers.views.content_words import gap_name
from services.carriers.ports import PullsReceipts
from services.clock import Clock
from services.content import Content
from services.content_lists import ContentLists
from services.leases import Leases
from services.removals import Removals
from services.retention import Periods, Retention
from services.settling import Settling
from services.unread_callbacks import UnreadCallbacks

log = structlog.get_logger()

# How long a stop waits: for people's requests, and for posts. Together with the rest it stays below the 15 s after
# which `bot/__main__.py` ends the process.
ANSWERING_SECONDS = 8.0
TELLING_SECONDS = 3.0
CONNECTION_LOOK_SECONDS = 5.0


class Bot:
    """The running program. `start()` returns when people can use it; `stop()` when nothing is left half-done.

    `http_port` is where it listens, once it does: HTTP_PORT, or for 0 the one the system chose.
    """

    http_port: int

    def __init__(self, config: Config, clock: Clock | None = None, *, sends: bool = True) -> None:
        """With `sends` False other processes of a fleet hand over what this one confirms."""
        self._config = config
        self._process = Process(config, clock, lambda: self._ticks.ages())
        self._clock = self._process.clock
        self._database = self._process.database
        self._metrics = self._process.metrics
        self._sends = sends
        self._leadership = Leadership(Leases(self._database, self._clock, self._process.name))
        self._client = slack_client(config.slack, self._metrics)
        self._connection = SlackConnection(config.slack, self._client, self._metrics)
        self._removals = Removals(self._database, self._clock)
        self._installations: Installations | None = None
        self._workspaces = Workspaces(None, None, None, lambda _token: self._client)
        self._ticks = Ticks(self._metrics.tick_ran, leads=self._leadership.leads)
        self._receipt_threads = ThreadPoolExecutor(1, thread_name_prefix="receipts")
        self._parts = AsyncExitStack()

    async def start(self) -> None:
        """Raises BadConfig, SchemaMismatch or DatabaseUnavailable; what had been started by then is stopped."""
        try:
            await self._start()
        except BaseException:
            await self._parts.aclose()
            raise

    async def stop(self) -> None:
        """Take nothing new; requests under way end and are recorded, and who waits is told. At most about 14 s."""
        log.info("bot.stopping")
        self._sending.stop_claiming()
        # Slack stays connected, so that what it has asked already is answered.
        await asyncio.gather(self._sending.stop(), self._edge.drain(ANSWERING_SECONDS), self._tell_who_waits())
        await self._parts.aclose()
        log.info("bot.stopped")

    async def _tell_who_waits(self) -> None:
        await asyncio.gather(self._ticks.stop(), self._announcer.stop())
        await self._imports.stop()
        try:
            async with asyncio.timeout(TELLING_SECONDS):
                await self._announcer.tell_interrupted()
        except TimeoutError:
            log.warning("interruption.not_told")

    async def _start(self) -> None:
        """Each part is stopped before those it was made from."""
        parts = self._parts
        self._process.close_with(parts)
        parts.callback(self._receipt_threads.shutdown)
        if self._database.is_sqlite:
            self._database.migrate()
        self._database.check_schema()
        workspace = await self._find_workspaces()
        connected = self._connect(workspace)
        if workspace is not None:
            # It may have been removed and have got a new token.
            self._removals.installed(workspace)
        services = make_services(
            self._database, self._clock, connected, self._config.public_url, self._config.default_regions
        )
        _tell_gaps(services.contents.lists, [each.workspace_id for each in connected])
        self._sending = self._process.make_sending(connected)
        self._dispatch = self._sending.dispatch
        if self._database.is_sqlite:
            self._dispatch.give_up_lost(own=True)
        timeout = aiohttp.ClientTimeout(total=300, sock_connect=10, sock_read=60)
        session = await parts.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        downloads = Downloads(session, self._workspaces.token, self._config.slack.api_url)
        app = self._make_app()
        roles = Roles(self._config.roles, self._workspaces)
        self._edge = Edge(
            app,
            self._workspaces,
            services.by_name(),
            self._clock,
            self._dispatch.wake,
            roles,
            self._metrics,
            self._config.default_regions,
        )
        parts.push_async_callback(self._edge.stop)
        self._imports = ImportRunner(services.importing.imports, downloads, self._metrics.import_ended)
        parts.push_async_callback(self._imports.stop)
        writer = ReceiptWriter(services.receipts, self._receipt_threads)
        inbox = Inbox(services.replies, UnreadCallbacks(self._database, self._clock), self._receipt_threads)
        await self._serve_http(connected, writer, inbox, app)
        if self._sends:
            self._sending.start()
        parts.push_async_callback(self._sending.stop)
        parts.push_async_callback(self._leadership.stop)
        puller = self._make_puller(connected, writer)
        parts.push_async_callback(puller.stop)
        self._start_ticks(services, puller)
        parts.push_async_callback(self._connection.close)
        await self._connection.open(app)
        self._leadership.start()
        log.info("bot.started", workspace=workspace, applications=len(connected))

    async def _find_workspaces(self) -> str | None:
        """The workspace of SLACK_BOT_TOKEN, if there is one; others come and go."""
        slack = self._config.slack
        home = None if slack.bot_token is None else await ask_home(slack, self._client)
        if slack.oauth is not None:
            self._installations = installations_of(slack.oauth, self._database)
        self._workspaces = find_workspaces(slack, home, self._installations, self._metrics)
        return None if home is None else home.team_id

    def _connect(self, home: str | None) -> list[Connected]:
        """Those of the home workspace; of every one they name where workspaces install the app."""
        by_workspace: dict[str, list[ApplicationSettings]] = defaultdict(list)
        for each in self._config.applications:
            owner = each.workspace or home
            if owner is not None and (self._config.slack.oauth is not None or owner == home):
                by_workspace[owner].append(each)
        if not by_workspace:
            raise BadConfig(f"No application belongs to workspace {home}: correct `workspace` or leave it out.")
        return [each for workspace, mine in by_workspace.items() for each in self._declare(workspace, mine)]

    def _declare(self, workspace: str, mine: list[ApplicationSettings]) -> list[Connected]:
        declared = Content(self._database).declare(workspace, [declaration(each) for each in mine])
        return [self._process.connect(settings, workspace, declared[settings.name]) for settings in mine]

    def _make_app(self) -> AsyncApp:
        several = self._installations is not None
        app = AsyncApp(
            # With a token of its own it would answer every workspace with that.
            client=make_client(None, self._config.slack.api_url, self._metrics) if several else self._client,
            authorize=authorizing(self._workspaces) if several else None,
            # Bolt's loggers take their level from this one, else from the root: a request's whole body is a warning.
            logger=logging.getLogger("slack_bolt"),
            signing_secret=self._config.slack.signing_secret,
            request_verification_enabled=not self._config.slack.uses_socket_mode,
        )
        listen_for_removal(app, self._workspaces, self._removals)
        return app

    def _install_routes(self) -> list[web.RouteDef]:
        """None where there is but the workspace of SLACK_BOT_TOKEN."""
        oauth, public_url = self._config.slack.oauth, self._config.public_url
        if oauth is None or self._installations is None or public_url is None:
            return []
        states, url = States(self._database), self._config.slack.api_url
        return install_routes(
            make_flow(oauth, self._installations, states, self._removals, api_url=url, public_url=public_url)
        )

    async def _serve_http(self, connected: list[Connected], writer: ReceiptWriter, inbox: Inbox, app: AsyncApp) -> None:
        addresses = {each.address.application_id: each.address for each in connected}
        slack = None if self._config.slack.uses_socket_mode else app
        health = Health(
            {"database": database_part(self._database), "slack": self._connection.verdict, "ticks": self._ticks_part}
        )
        self._parts.push_async_callback(health.stop)
        web_app = make_web_app(
            addresses,
            writer,
            slack,
            self._config.public_url,
            inbox,
            [*signs_of_life(health, self._metrics), *self._install_routes()],
            self._metrics.http_answered,
        )
        self.http_port = await self._process.serve_http(web_app, self._parts)

    async def _ticks_part(self) -> Mapping[str, Verdict]:
        return {"ticks": ticks_verdict(self._ticks.ages())}

    def _make_puller(self, connected: list[Connected], writer: ReceiptWriter) -> ReceiptPuller:
        can_be_asked = {
            each.address.application_id: each.carrier for each in connected if isinstance(each.carrier, PullsReceipts)
        }
        return ReceiptPuller(Settling(self._database, self._clock), writer, can_be_asked, self._clock)

    def _start_ticks(self, services: Services, puller: ReceiptPuller) -> None:
        self._announcer = announcer = Announcer(
            self._workspaces,
            services.posts,
            services.importing,
            services.tasks,
            services.contents,
            services.replies,
            self._imports.progress,
        )
        self._parts.push_async_callback(announcer.stop)
        loop = asyncio.get_running_loop()

        def start_due() -> None:
            if services.tasks.send_tasks.start_due():
                loop.call_soon_threadsafe(self._dispatch.wake)

        self._ticks.every(START_EVERY_SECONDS, start_due, in_thread=True)
        self._ticks.every(0.5, services.receipts.keep_up, in_thread=True)
        self._ticks.every(1, services.posts.want_results, in_thread=True)
        self._ticks.every(2, self._dispatch.give_up_lost, in_thread=True)
        if not self._database.is_sqlite:
            self._ticks.every(1, self._dispatch.requeue_lost, in_thread=True)
        self._ticks.every(3600, services.posts.close_receipt_windows, in_thread=True)
        retention = Retention(self._database, self._clock, _periods(self._config.retention))
        self._ticks.every(60, retention.tick, in_thread=True)
        self._ticks.every(3600, services.tasks.send_tasks.forget_drafts, in_thread=True)
        self._ticks.every(30, puller.tick, in_thread=False)
        self._ticks.every(0.5, self._imports.tick, in_thread=False)
        self._ticks.every(0.5, announcer.tick, in_thread=False)
        self._ticks.every(CONNECTION_LOOK_SECONDS, self._connection.look, in_thread=False, everywhere=True)
        self._ticks.every(1, services.contents.sync.tick, in_thread=False)
        self._ticks.start()
        self._parts.push_async_callback(self._ticks.stop)


def _periods(retention: RetentionSettings) -> Periods:
    return Periods(
        default=None if retention.days is None else timedelta(days=retention.days),
        of_workspaces={name: timedelta(days=days) for name, days in retention.of_workspaces.items()},
    )


def _tell_gaps(lists: ContentLists, workspaces: Iterable[str]) -> None:
    """At the start, and not first when a batch would have to move."""
    for each in (item for workspace in dict.fromkeys(workspaces) for item in lists.applications(workspace).items):
        if each.failover is not None and each.failover.gaps:
            lacks = [f"{gap_name(gap)}: {gap.why}" for gap in each.failover.gaps]
            log.warning("failover.lacks", application=each.name, failover=each.failover.name, cannot_take_over=lacks)
