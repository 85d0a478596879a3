"""A Slack workspace with an app of the tests' own, and people in it."""

from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.core import BOT_TOKEN
from sandbox.slack.server import SlackSandbox
from tests.sandbox.app import App, connected
from tests.sandbox.people import MANIFEST, PATIENT, Person, acting, make_impatient


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    """A running workspace reached over Socket Mode, which waits long enough for a busy machine."""
    sandbox = SlackSandbox(MANIFEST, timings=PATIENT)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def impatient(slack: SlackSandbox) -> None:
    """For tests in which the app is late: its three seconds are short ones."""
    make_impatient(slack)


@pytest.fixture
async def client(slack: SlackSandbox) -> AsyncWebClient:
    """Slack's own client with the app's bot token."""
    return AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)


@pytest.fixture
async def app(slack: SlackSandbox) -> AsyncIterator[App]:
    """The app, connected by one socket."""
    listening = App()
    async with connected(slack, listening):
        yield listening


@pytest.fixture
async def ana(slack: SlackSandbox) -> AsyncIterator[Person]:
    """Ana, at the page."""
    async with acting(slack, "U0ANA") as person:
        yield person


@pytest.fixture
async def ben(slack: SlackSandbox) -> AsyncIterator[Person]:
    """Ben, at the page."""
    async with acting(slack, "U0BEN") as person:
        yield person
