"""`python -m bot check-config`: what is right in the settings and what is not. Nothing is sent, nothing changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.application_settings import ApplicationSettings, TencentSettings, declaration
from bot.bad_config import BadConfig
from bot.check_roles import Say, check_roles
from bot.config import Config, read_config
from bot.oauth import INSTALL_PATH
from bot.schema_words import describe_mismatch
from bot.slack_calls import slack_client
from bot.web import receipts_path, replies_path
from handlers.views.content_words import gap_list
from handlers.views.countries import country
from handlers.views.words import counted
from services.content import Content, DeclaredApplication
from services.database import Database, DatabaseUnavailable, SchemaMismatch
from services.elsewhere import declared_stock, gaps

_REACH_SECONDS = 5


async def check_config(say: Say) -> bool:
    """Say each finding in a line; whether the bot can run."""
    try:
        config = read_config()
    except BadConfig as error:
        say(f"✗ {error}")
        return False
    say(f"✓ Settings: {counted(len(config.applications), 'application')} read.")
    right = _check_database(config, say)
    right &= await _check_slack(config, say)
    with _database(config) as database:
        right &= await check_roles(config, database, say)
    _say_retention(config, say)
    _say_default_regions(config, say)
    for application in config.applications:
        right &= await _check_application(application, say)
        _say_failover(application, config, say)
    _say_logs_and_signs(config, say)
    _check_receipts(config, say)
    return right


def _say_logs_and_signs(config: Config, say: Say) -> None:
    formats = {"json": "JSON", "text": "text", None: "text on a terminal and JSON elsewhere"}
    say(f"✓ LOG_FORMAT, LOG_LEVEL: {formats[config.log_format]}, from {config.log_level} on.")
    where = f"http://{config.http_host}:{config.http_port}"
    say(
        f"✓ HTTP_HOST, HTTP_PORT: {where}/healthz, /readyz and /metrics are for probes and Prometheus, not for outside."
    )


def _say_default_regions(config: Config, say: Say) -> None:
    regions = config.default_regions
    own = "".join(f"; in {name} of {country(region)}" for name, region in regions.of_workspaces.items())
    say(f"✓ default_region: a number without country code is of {country(regions.default)}{own}.")


def _say_retention(config: Config, say: Say) -> None:
    retention = config.retention
    default = "for ever" if retention.days is None else f"{counted(retention.days, 'day')}"
    own = "".join(f"; in {name} {counted(days, 'day')}" for name, days in retention.of_workspaces.items())
    say(f"✓ retention_days: who was written to is kept {default}{own}.")


def _check_database(config: Config, say: Say) -> bool:
    path = _sqlite_path(config)
    # To open it would make it.
    if config.database_url.startswith("sqlite:///") and not path.exists():
        if not os.access(path.parent, os.W_OK):
            say(f"✗ DATABASE_URL: {path.parent.resolve()} is not there or cannot be written to.")
            return False
        say("✓ DATABASE_URL: a new SQLite database, made at the first start.")
        return True
    try:
        database = Database(config.database_url)
        try:
            database.check_schema()
        finally:
            database.close()
    except SchemaMismatch as error:
        if database.is_sqlite and error.found is None:
            say("✓ DATABASE_URL: an empty SQLite database, filled at the first start.")
            return True
        if database.is_sqlite and not error.is_newer:
            say("✓ DATABASE_URL: a SQLite database of an older version, brought up to date at the next start.")
            return True
        say(f"✗ {describe_mismatch(error)}")
        return False
    except DatabaseUnavailable as error:
        say(f"✗ DATABASE_URL: the database cannot be opened: {error}")
        return False
    say("✓ DATABASE_URL: the database answers, and its schema is this version's.")
    return True


async def _check_slack(config: Config, say: Say) -> bool:
    client = slack_client(config.slack)
    if config.slack.oauth is not None:
        say(f"✓ SLACK_CLIENT_ID: workspaces install the app at {config.public_url}{INSTALL_PATH}.")
    if config.slack.bot_token is None:
        return await _check_app_token(config, client, say) if config.slack.uses_socket_mode else _say_over_http(say)
    try:
        who = await client.auth_test()
        say(f"✓ SLACK_BOT_TOKEN: {who['user']} in {who['team']} ({who['team_id']}).")
    except SlackApiError as error:
        say(f"✗ SLACK_BOT_TOKEN: Slack refuses it: {error.response.get('error')}. docs/slack.md says how to get one.")
        return False
    except (aiohttp.ClientError, TimeoutError) as error:
        say(f"✗ SLACK_API_URL: {config.slack.api_url} does not answer: {error}")
        return False
    return await _check_app_token(config, client, say) if config.slack.uses_socket_mode else _say_over_http(say)


def _say_over_http(say: Say) -> bool:
    say("✓ SLACK_SIGNING_SECRET: Slack over HTTP; Slack's request address is /slack/events here.")
    return True


async def _check_app_token(config: Config, client: AsyncWebClient, say: Say) -> bool:
    try:
        await client.apps_connections_open(app_token=config.slack.app_token or "")
    except SlackApiError as error:
        say(
            f"✗ SLACK_APP_TOKEN: Slack refuses it: {error.response.get('error')}. It needs the scope connections:write."
        )
        return False
    except (aiohttp.ClientError, TimeoutError) as error:
        say(f"✗ SLACK_API_URL: {config.slack.api_url} does not answer: {error}")
        return False
    say("✓ SLACK_APP_TOKEN: Socket Mode.")
    return True


async def _check_application(application: ApplicationSettings, say: Say) -> bool:
    about = f"application {application.name} ({application.carrier}, {application.region.value})"
    try:
        timeout = aiohttp.ClientTimeout(total=_REACH_SECONDS)
        # Any answer will do: without a send there is nothing to ask a carrier for.
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(application.endpoint, allow_redirects=False),
        ):
            pass
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        say(f"✗ {about}: its endpoint {application.endpoint} does not answer: {error}")
        return False
    templates = ", ".join(each.name for each in application.template) or "none here, so add them in Slack"
    say(f"✓ {about}: its endpoint answers. Templates: {templates}. The credentials show with the first SMS.")
    return True


def _say_failover(application: ApplicationSettings, config: Config, say: Say) -> None:
    """Whether the other application could really take over, as far as the settings know."""
    for other in config.applications:
        elsewhere = None not in (application.workspace, other.workspace) and application.workspace != other.workspace
        if other.name != application.failover or elsewhere:
            continue
        about = f"application {application.name}: its failover {other.name}"
        missing = gaps(declared_stock(declaration(application)), declared_stock(declaration(other)))
        if missing:
            lacks = gap_list(missing, str)
            say(f"! {about} cannot take over {lacks}, unless Slack or its carrier has what these settings lack.")
        elif application.template:
            say(f"✓ {about} can take over all of its templates.")


def _check_receipts(config: Config, say: Say) -> None:
    if config.public_url is None:
        say("! PUBLIC_URL is not set: carriers cannot report, so delivery will stay unknown.")
        return
    where = f"{config.public_url}/receipts/…"
    say(f"✓ PUBLIC_URL: carriers report to {where}; that must lead to port {config.http_port} here.")
    for application in config.applications:
        for known in _known(application, config):
            address = f"{config.public_url}{replies_path(known.id, known.receipts_token)}"
            say(f"! application {application.name}: to hear what people reply, tell its carrier: {address}")
    # The other carriers are told with each message.
    told_by_hand = [each for each in config.applications if isinstance(each, TencentSettings)]
    for application in told_by_hand:
        _say_address(application, config, say)


def _say_address(application: TencentSettings, config: Config, say: Say) -> None:
    about = f"application {application.name}: Tencent's console must be told where to report"
    known = _known(application, config)
    for each in known:
        say(f"! {about}: {config.public_url}{receipts_path(each.id, each.receipts_token)}")
    if not known:
        say(f"! {about}: start the bot once, then this command says the address.")


def _known(application: ApplicationSettings, config: Config) -> list[DeclaredApplication]:
    """None before the bot was first started with it; several where workspaces share its name."""
    return [
        each
        for workspace, name, each in _declared(config)
        if name == application.name and application.workspace in (None, workspace)
    ]


def _declared(config: Config) -> list[tuple[str, str, DeclaredApplication]]:
    with _database(config) as database:
        return [] if database is None else Content(database).declared()


@contextmanager
def _database(config: Config) -> Iterator[Database | None]:
    """To look into; None before the bot was first started, and where it is not to be used."""
    if config.database_url.startswith("sqlite:///") and not _sqlite_path(config).exists():
        yield None
        return
    with ExitStack() as parts:
        usable = None
        with suppress(SchemaMismatch, DatabaseUnavailable):
            database = Database(config.database_url)
            parts.callback(database.close)
            database.check_schema()
            usable = database
        yield usable


def _sqlite_path(config: Config) -> Path:
    return Path(config.database_url.removeprefix("sqlite:///"))
