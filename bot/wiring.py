"""build(config) → the running parts, made in one place and handed to each other by name."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
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
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.announcer import Announcer
from bot.carriers import make_carrier
from bot.config import ApplicationSettings, BadConfig, Config
from bot.downloads import Downloads
from bot.import_runner import ImportRunner
from bot.receipt_writer import ReceiptWriter
from bot.scheduler import Ticks
from bot.slack_app import Edge
from bot.web import ReceiptsAddress, make_web_app
from handlers.enter import Entering
from handlers.groups import Grouping
from handlers.imports import Importing
from handlers.routes import help_lines
from handlers.send import Sending
from handlers.tasks import Tasks
from services.carriers.http import Http
from services.carriers.ports import Carrier
from services.clock import Clock, SystemClock
from services.confirm import Confirmations
from services.content import ApplicationDeclaration, Content, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.dispatch import Dispatch, Sender
from services.entries import Entries
from services.group_changes import GroupChanges
from services.group_exports import GroupExports
from services.groups import Groups
from services.imports import Imports
from services.pool import Pool
from services.posts import Posts
from services.previews import Previews
from services.rate import RateLimit
from services.receipts import Receipts
from services.send_tasks import SendTasks
from services.task_changes import TaskChanges
from services.task_files import TaskFiles
from services.task_lists import TaskLists
from services.task_messages import TaskMessages
from services.task_reports import TaskReports

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Services:
    """Every use case, by the names `handlers/routes.py` uses where a handler takes it."""

    importing: Importing
    sending: Sending
    groups: Grouping
    entering: Entering
    pool: Pool
    tasks: Tasks
    help: list[tuple[str, str]]
    posts: Posts
    receipts: Receipts


@dataclass(frozen=True, slots=True)
class Connected:
    """An application with its carrier, its rate, its id in the database and where its receipts come in."""

    settings: ApplicationSettings
    carrier: Carrier
    rate: RateLimit
    address: ReceiptsAddress


class Bot:
    """The running program. `start()` returns when people can use it; `stop()` when nothing is left half-done."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._database = Database(config.database_url)
        self._client = slack_client(config)
        self._http = Http()
        self._ticks = Ticks()
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
        """Take nothing new; requests under way end and are recorded."""
        await self._parts.aclose()
        log.info("bot.stopped")

    async def _start(self) -> None:
        """Each part is stopped before those it was made from."""
        parts = self._parts
        parts.callback(self._database.close)
        parts.callback(self._receipt_threads.shutdown)
        parts.callback(self._dispatch_threads.shutdown)
        if self._database.is_sqlite:
            self._database.migrate()
        self._database.check_schema()
        workspace = await self._ask_workspace()
        connected = self._connect(workspace)
        services = self._services(connected)
        parts.push_async_callback(self._http.close)
        self._dispatch = self._make_dispatch(connected)
        if self._database.is_sqlite:
            self._dispatch.give_up_lost(own=True)
        timeout = aiohttp.ClientTimeout(total=300, sock_connect=10, sock_read=60)
        session = await parts.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        downloads = Downloads(session, self._config.slack_bot_token, self._config.slack_api_url)
        app = self._make_app()
        edge = Edge(app, self._client, _by_name(services), self._clock, self._dispatch.wake)
        parts.push_async_callback(edge.stop)
        self._imports = ImportRunner(services.importing.imports, downloads)
        parts.push_async_callback(self._imports.stop)
        await self._serve_http(connected, ReceiptWriter(services.receipts, self._receipt_threads), app)
        sending = asyncio.create_task(self._dispatch.run())
        parts.push_async_callback(self._stop_sending, sending)
        self._start_ticks(services)
        await self._connect_to_slack(app)
        log.info("bot.started", workspace=workspace, applications=len(connected))

    async def _ask_workspace(self) -> str:
        try:
            return str((await self._client.auth_test())["team_id"])
        except SlackApiError as error:
            code = error.response.get("error")
            raise BadConfig(f"Slack refuses SLACK_BOT_TOKEN: {code} (docs/slack.md says how to get one).") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            url = self._config.slack_api_url
            raise BadConfig(f"SLACK_API_URL: {url} does not answer: {error or 'it takes too long'}.") from error

    async def _stop_sending(self, sending: asyncio.Task[None]) -> None:
        self._dispatch.stop()
        await sending

    def _connect(self, workspace: str) -> list[Connected]:
        mine = [each for each in self._config.applications if each.workspace in (None, workspace)]
        if not mine:
            raise BadConfig(f"No application belongs to workspace {workspace}: correct `workspace` or leave it out.")
        declared = Content(self._database).declare(workspace, [_declaration(each) for each in mine])
        connected = []
        for settings in mine:
            rate = RateLimit(settings.requests_per_second)
            carrier = make_carrier(settings, self._http, self._clock, rate.acquire)
            known = declared[settings.name]
            address = ReceiptsAddress(known.id, known.receipts_token, carrier)
            connected.append(Connected(settings, carrier, rate, address))
        return connected

    def _services(self, connected: list[Connected]) -> Services:
        database, clock = self._database, self._clock
        groups, content = Groups(database, clock), Content(database)
        receipts_reach_us = self._config.public_url is not None
        previews = Previews(database, clock, groups, content, receipts_reach_us=receipts_reach_us)
        max_numbers = {each.address.application_id: each.carrier.max_numbers for each in connected}
        confirmations = Confirmations(database, clock, previews, max_numbers)
        return Services(
            importing=Importing(Imports(database, clock), groups),
            sending=Sending(previews, confirmations, groups, content),
            groups=Grouping(groups, GroupChanges(database, clock), GroupExports(database)),
            entering=Entering(Entries(database, clock), groups),
            pool=Pool(database),
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
            receipts=Receipts(database, clock),
        )

    def _make_dispatch(self, connected: list[Connected]) -> Dispatch:
        public_url = self._config.public_url
        senders = [
            Sender(
                application_id=each.address.application_id,
                carrier=each.carrier,
                rate=each.rate,
                receipts_url=f"{public_url}{each.address.path}" if public_url else None,
            )
            for each in connected
        ]
        return Dispatch(
            self._database,
            self._clock,
            senders,
            owner="embedded" if self._database.is_sqlite else f"{socket.gethostname()}-{os.getpid()}",
            executor=self._dispatch_threads,
            request_timeout=timedelta(seconds=self._http.longest_seconds),
        )

    def _make_app(self) -> AsyncApp:
        return AsyncApp(
            client=self._client,
            # Bolt's loggers take their level from this one, else from the root: a request's whole body is a warning.
            logger=logging.getLogger("slack_bolt"),
            signing_secret=self._config.slack_signing_secret,
            request_verification_enabled=not self._config.uses_socket_mode,
        )

    async def _serve_http(self, connected: list[Connected], writer: ReceiptWriter, app: AsyncApp) -> None:
        addresses = {each.address.application_id: each.address for each in connected}
        slack = None if self._config.uses_socket_mode else app
        runner = web.AppRunner(make_web_app(addresses, writer, slack, self._config.public_url), access_log=None)
        self._parts.push_async_callback(runner.cleanup)
        await runner.setup()
        host, port = self._config.http_host, self._config.http_port
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise BadConfig(f"HTTP_PORT: cannot listen on {host}:{port}: {error.strerror}.") from error

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
        except SlackApiError as error:
            code = error.response.get("error")
            raise BadConfig(f"Slack refuses SLACK_APP_TOKEN: {code}. It needs the scope connections:write.") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BadConfig(f"Slack's Socket Mode does not answer: {error or 'it takes too long'}.") from error

    def _start_ticks(self, services: Services) -> None:
        announcer = Announcer(self._client, services.posts, services.importing, services.tasks, self._imports.progress)
        loop = asyncio.get_running_loop()

        def start_due() -> None:
            if services.tasks.send_tasks.start_due():
                loop.call_soon_threadsafe(self._dispatch.wake)

        self._ticks.every(0.5, start_due, in_thread=True)
        self._ticks.every(0.5, services.receipts.apply, in_thread=True)
        self._ticks.every(1, services.posts.want_results, in_thread=True)
        self._ticks.every(2, self._dispatch.give_up_lost, in_thread=True)
        self._ticks.every(3600, services.posts.close_old, in_thread=True)
        self._ticks.every(3600, services.tasks.send_tasks.forget_drafts, in_thread=True)
        self._ticks.every(0.5, self._imports.tick, in_thread=False)
        self._ticks.every(0.5, announcer.tick, in_thread=False)
        self._ticks.start()
        self._parts.push_async_callback(self._ticks.stop)


def slack_client(config: Config) -> AsyncWebClient:
    """Waits when Slack says to, and repeats nothing else: a post that may have arrived must not be posted again."""
    return AsyncWebClient(
        token=config.slack_bot_token,
        base_url=config.slack_api_url,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=3)],
    )


def _by_name(services: Services) -> dict[str, object]:
    return {name: getattr(services, name) for name in Services.__slots__}


def _declaration(settings: ApplicationSettings) -> ApplicationDeclaration:
    return ApplicationDeclaration(
        name=settings.name,
        carrier=settings.carrier,
        region=settings.region,
        signatures=[SignatureDeclaration(each.name, each.sender) for each in settings.signature],
        templates=[
            TemplateDeclaration(each.name, each.code, each.sms_type, each.text, each.signature)
            for each in settings.template
        ],
        receipt_window_hours=settings.receipt_window_hours,
    )
