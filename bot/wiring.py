"""build(config) → the running parts, made in one place and handed to each other by name."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import structlog
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.announcer import Announcer
from bot.carriers import numbers_per_request
from bot.config import ApplicationSettings, BadConfig, Config, RetentionSettings
from bot.downloads import Downloads
from bot.health import Health, Verdict, database_part, ticks_verdict
from bot.import_runner import ImportRunner
from bot.inbox import Inbox
from bot.installations import Installations, States, TokenCipher
from bot.leadership import Leadership
from bot.metrics import Metrics
from bot.oauth import authorizing, install_routes, listen_for_removal, make_flow
from bot.process import process_name
from bot.receipt_puller import ReceiptPuller
from bot.receipt_writer import ReceiptWriter
from bot.roles import Roles
from bot.scheduler import START_EVERY_SECONDS, Ticks
from bot.sending import Connected, connect, use_queue
from bot.sending import Sending as SendingPart
from bot.slack_app import Edge
from bot.slack_calls import CountedClient, Counting, Uncounted
from bot.web import listen, make_web_app, receipts_path, signs_of_life
from bot.workspaces import Home, Workspaces
from handlers.content import Contents
from handlers.enter import Entering
from handlers.groups import Grouping
from handlers.imports import Importing
from handlers.routes import help_lines
from handlers.send import Sending
from handlers.tasks import Tasks
from services.carriers.http import Http
from services.carriers.ports import Limits, PullsReceipts, SyncsContent
from services.clock import Clock, SystemClock
from services.confirm import Confirmations
from services.content import Content
from services.content_changes import ContentChanges
from services.content_lists import ContentLists
from services.content_sync import ContentSync
from services.database import Database
from services.declarations import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.draft_tests import DraftTests
from services.entries import Entries
from services.figures import FigureReader
from services.group_changes import GroupChanges
from services.group_exports import GroupExports
from services.groups import Groups
from services.imports import Imports
from services.leases import Leases
from services.opt_outs import OptOuts
from services.pool import Pool
from services.posts import Posts
from services.previews import Previews
from services.receipts import Receipts
from services.removals import Removals
from services.replies import Replies
from services.retention import Periods, Retention
from services.send_tasks import SendTasks
from services.settling import Settling
from services.task_changes import TaskChanges
from services.task_files import TaskFiles
from services.task_lists import TaskLists
from services.task_messages import TaskMessages
from services.task_reports import TaskReports
from services.unread_callbacks import UnreadCallbacks

log = structlog.get_logger()

# How long a stop waits: for people's requests, for posts, for open HTTP requests. Together with the rest it stays below
# the 15 s after which `bot/__main__.py` ends the process.
ANSWERING_SECONDS = 8.0
TELLING_SECONDS = 3.0
HTTP_SECONDS = 2.0
CONNECTION_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Services:
    """Every use case, by the names `handlers/routes.py` uses where a handler takes it."""

    importing: Importing
    sending: Sending
    groups: Grouping
    entering: Entering
    pool: Pool
    tasks: Tasks
    contents: Contents
    help: list[tuple[str, str]]
    posts: Posts
    receipts: Receipts
    replies: Replies
    opt_outs: OptOuts


class Bot:
    """The running program. `start()` returns when people can use it; `stop()` when nothing is left half-done.

    `http_port` is where it listens, once it does: HTTP_PORT, or for 0 the one the system chose.
    """

    http_port: int

    def __init__(self, config: Config, clock: Clock | None = None, *, sends: bool = True) -> None:
        """With `sends` False other processes of a fleet hand over what this one confirms."""
        self._config = config
        self._clock = clock or SystemClock()
        self._database = Database(config.database_url)
        use_queue(self._database)
        self._sends = sends
        self._name = process_name(self._database)
        self._leadership = Leadership(Leases(self._database, self._clock, self._name))
        self._metrics = Metrics(FigureReader(self._database, self._clock).read, lambda: self._ticks.ages())
        self._client = slack_client(config, self._metrics)
        self._removals = Removals(self._database, self._clock)
        self._installations: Installations | None = None
        self._workspaces = Workspaces(None, None, None, lambda _token: self._client)
        self._http = Http(
            connect_seconds=config.carrier_connect_seconds,
            read_seconds=config.carrier_read_seconds,
            connections=100 * len(config.applications),
        )
        self._ticks = Ticks(self._metrics.tick_ran, leads=self._leadership.leads)
        self._socket: AsyncSocketModeHandler | None = None
        # SQLite has one writer; a second thread would only wait for the first.
        threads = 1 if self._database.is_sqlite else 8
        self._dispatch_threads = ThreadPoolExecutor(threads, thread_name_prefix="dispatch")
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
        parts.callback(self._database.close)
        parts.callback(self._receipt_threads.shutdown)
        parts.callback(self._dispatch_threads.shutdown)
        if self._database.is_sqlite:
            self._database.migrate()
        self._database.check_schema()
        workspace = await self._find_workspaces()
        connected = self._connect(workspace)
        if workspace is not None:
            # It may have been removed and have got a new token.
            self._removals.installed(workspace)
        services = self._services(connected)
        parts.push_async_callback(self._http.close)
        self._sending = self._make_sending(connected)
        self._dispatch = self._sending.dispatch
        if self._database.is_sqlite:
            self._dispatch.give_up_lost(own=True)
        timeout = aiohttp.ClientTimeout(total=300, sock_connect=10, sock_read=60)
        session = await parts.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        downloads = Downloads(session, self._workspaces.token, self._config.slack_api_url)
        app = self._make_app()
        roles = Roles(self._config.roles, self._workspaces)
        self._edge = Edge(
            app,
            self._workspaces,
            _by_name(services),
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
        self._start_ticks(services, self._make_puller(connected, writer))
        await self._connect_to_slack(app)
        self._leadership.start()
        log.info("bot.started", workspace=workspace, applications=len(connected))

    async def _find_workspaces(self) -> str | None:
        """The workspace of SLACK_BOT_TOKEN, if there is one; others come and go."""
        home = None if self._config.slack_bot_token is None else await self._ask_home()
        oauth, rotator = self._config.oauth, None
        if oauth is not None:
            self._installations = Installations(self._database, oauth.client_id, TokenCipher(oauth.token_keys))
            rotator = AsyncTokenRotator(
                client_id=oauth.client_id,
                client_secret=oauth.client_secret,
                client=AsyncWebClient(base_url=self._config.slack_api_url),
            )
        self._workspaces = Workspaces(
            home,
            self._installations,
            rotator,
            lambda token: make_client(token, self._config.slack_api_url, self._metrics),
        )
        return None if home is None else home.team_id

    async def _ask_home(self) -> Home:
        try:
            who = await self._client.auth_test()
            return Home(str(who["team_id"]), self._client, who.get("bot_id"), who.get("user_id"))
        except SlackApiError as error:
            code = error.response.get("error")
            raise BadConfig(f"Slack refuses SLACK_BOT_TOKEN: {code} (docs/slack.md says how to get one).") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            url = self._config.slack_api_url
            raise BadConfig(f"SLACK_API_URL: {url} does not answer: {error or 'it takes too long'}.") from error

    def _connect(self, home: str | None) -> list[Connected]:
        """Those of the home workspace; of every one they name where workspaces install the app."""
        by_workspace: dict[str, list[ApplicationSettings]] = defaultdict(list)
        for each in self._config.applications:
            owner = each.workspace or home
            if owner is not None and (self._config.oauth is not None or owner == home):
                by_workspace[owner].append(each)
        if not by_workspace:
            raise BadConfig(f"No application belongs to workspace {home}: correct `workspace` or leave it out.")
        return [each for workspace, mine in by_workspace.items() for each in self._declare(workspace, mine)]

    def _declare(self, workspace: str, mine: list[ApplicationSettings]) -> list[Connected]:
        declared = Content(self._database).declare(workspace, [_declaration(each) for each in mine])
        return [
            connect(
                settings,
                workspace,
                declared[settings.name],
                self._database,
                self._clock,
                self._http,
                self._dispatch_threads,
            )
            for settings in mine
        ]

    def _services(self, connected: list[Connected]) -> Services:
        database, clock = self._database, self._clock
        groups, content = Groups(database, clock), Content(database)
        imports = Imports(database, clock, self._config.default_regions)
        receipts_reach_us = self._config.public_url is not None
        limits = {each.address.application_id: _limits(each, connected) for each in connected}
        per_request = {
            each.address.application_id: numbers_per_request(each.settings, each.carrier) for each in connected
        }
        previews = Previews(
            database,
            clock,
            groups,
            content,
            receipts_reach_us=receipts_reach_us,
            numbers_per_request=per_request,
        )
        confirmations = Confirmations(database, clock, previews, limits)
        return Services(
            importing=Importing(imports, groups),
            sending=Sending(
                previews=previews,
                confirmations=confirmations,
                tests=DraftTests(database, clock, limits),
                groups=groups,
                content=content,
                imports=imports,
            ),
            groups=Grouping(groups, GroupChanges(database, clock), GroupExports(database)),
            entering=Entering(Entries(database, clock), groups, imports),
            pool=Pool(database),
            contents=self._contents(connected),
            tasks=Tasks(
                SendTasks(database, clock),
                TaskReports(database),
                TaskChanges(database, clock, previews, content),
                TaskLists(database),
                TaskMessages(database),
                TaskFiles(database),
            ),
            help=help_lines(),
            posts=Posts(database, clock),
            receipts=Receipts(
                database, clock, {each.address.application_id: each.carrier.opted_out_codes for each in connected}
            ),
            replies=Replies(database, clock),
            opt_outs=OptOuts(database, clock),
        )

    def _contents(self, connected: list[Connected]) -> Contents:
        synced = {
            each.address.application_id: each.carrier for each in connected if isinstance(each.carrier, SyncsContent)
        }

        def receipts_address(application_id: int, token: str) -> str:
            return f"{self._config.public_url or ''}{receipts_path(application_id, token)}"

        return Contents(
            ContentLists(self._database),
            ContentChanges(self._database, synced),
            ContentSync(self._database, self._clock, synced),
            receipts_address,
        )

    def _make_sending(self, connected: list[Connected]) -> SendingPart:
        return SendingPart(
            connected,
            self._database,
            self._clock,
            self._metrics,
            public_url=self._config.public_url,
            owner=self._name,
            executor=self._dispatch_threads,
            request_timeout=timedelta(seconds=self._http.longest_seconds),
        )

    def _make_app(self) -> AsyncApp:
        several = self._installations is not None
        app = AsyncApp(
            # With a token of its own it would answer every workspace with that.
            client=make_client(None, self._config.slack_api_url, self._metrics) if several else self._client,
            authorize=authorizing(self._workspaces) if several else None,
            # Bolt's loggers take their level from this one, else from the root: a request's whole body is a warning.
            logger=logging.getLogger("slack_bolt"),
            signing_secret=self._config.slack_signing_secret,
            request_verification_enabled=not self._config.uses_socket_mode,
        )
        listen_for_removal(app, self._workspaces, self._removals)
        return app

    def _install_routes(self) -> list[web.RouteDef]:
        """None where there is but the workspace of SLACK_BOT_TOKEN."""
        oauth, public_url = self._config.oauth, self._config.public_url
        if oauth is None or self._installations is None or public_url is None:
            return []
        states, url = States(self._database), self._config.slack_api_url
        return install_routes(
            make_flow(oauth, self._installations, states, self._removals, api_url=url, public_url=public_url)
        )

    async def _serve_http(self, connected: list[Connected], writer: ReceiptWriter, inbox: Inbox, app: AsyncApp) -> None:
        addresses = {each.address.application_id: each.address for each in connected}
        slack = None if self._config.uses_socket_mode else app
        health = Health(
            {"database": database_part(self._database), "slack": self._slack_part, "ticks": self._ticks_part}
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
        runner = web.AppRunner(web_app, access_log=None, shutdown_timeout=HTTP_SECONDS)
        self._parts.push_async_callback(runner.cleanup)
        self.http_port = await listen(runner, self._config.http_host, self._config.http_port)

    async def _slack_part(self) -> Mapping[str, Verdict]:
        if not self._config.uses_socket_mode:
            return {"slack": Verdict(True)}
        if self._socket is None or not await self._socket.client.is_connected():
            return {"slack": Verdict(False, "not connected")}
        return {"slack": Verdict(True)}

    async def _ticks_part(self) -> Mapping[str, Verdict]:
        return {"ticks": ticks_verdict(self._ticks.ages())}

    async def _look_at_connection(self) -> None:
        verdicts = await self._slack_part()
        mode = "socket" if self._config.uses_socket_mode else "http"
        self._metrics.slack_connection(mode, connected=verdicts["slack"].ok)

    async def _connect_to_slack(self, app: AsyncApp) -> None:
        if not self._config.uses_socket_mode:
            return
        handler = AsyncSocketModeHandler(app, self._config.slack_app_token, web_client=self._client)
        self._parts.push_async_callback(handler.close_async)
        try:
            # Asked for here, because connecting tries a wrong token again for ever.
            opened = await self._client.apps_connections_open(app_token=self._config.slack_app_token or "")
            handler.client.wss_uri = opened["url"]
            await handler.connect_async()  # type: ignore[no-untyped-call] # Bolt has no types here
            self._socket = handler
        except SlackApiError as error:
            code = error.response.get("error")
            raise BadConfig(f"Slack refuses SLACK_APP_TOKEN: {code}. It needs the scope connections:write.") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BadConfig(f"Slack's Socket Mode does not answer: {error or 'it takes too long'}.") from error

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
        self._ticks.every(CONNECTION_LOOK_SECONDS, self._look_at_connection, in_thread=False, everywhere=True)
        self._ticks.every(1, services.contents.sync.tick, in_thread=False)
        self._ticks.start()
        self._parts.push_async_callback(self._ticks.stop)


def slack_client(config: Config, counting: Counting | None = None) -> AsyncWebClient:
    """Slack's Web API with the bot's token."""
    return make_client(config.slack_bot_token, config.slack_api_url, counting)


def make_client(token: str | None, api_url: str, counting: Counting | None = None) -> AsyncWebClient:
    """The same with this token."""
    return CountedClient(token, api_url, counting or Uncounted())


def _limits(one: Connected, connected: list[Connected]) -> Limits:
    """A batch must fit where it may go, too."""
    both = [one.carrier, *(each.carrier for each in connected if each.is_failover_of(one))]
    return Limits(min(each.max_numbers for each in both), min(each.max_numbers_with_values for each in both))


def _periods(retention: RetentionSettings) -> Periods:
    return Periods(
        default=None if retention.days is None else timedelta(days=retention.days),
        of_workspaces={name: timedelta(days=days) for name, days in retention.of_workspaces.items()},
    )


def _by_name(services: Services) -> dict[str, object]:
    return {name: getattr(services, name) for name in Services.__slots__}


def _declaration(settings: ApplicationSettings) -> ApplicationDeclaration:
    return ApplicationDeclaration(
        name=settings.name,
        carrier=settings.carrier,
        region=settings.region,
        requests_per_second=settings.requests_per_second,
        price_per_segment=settings.price_per_segment,
        currency=settings.currency,
        signatures=[SignatureDeclaration(each.name, each.sender) for each in settings.signature],
        templates=[
            TemplateDeclaration(each.name, each.code, each.sms_type, each.text, each.signature)
            for each in settings.template
        ],
        receipt_window_hours=settings.receipt_window_hours,
    )
