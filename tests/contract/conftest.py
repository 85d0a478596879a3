"""What every contract test is given: a stand-in, our HTTP client, and an address that takes callbacks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.carriers.http import Http
from tests.contract.callback import Callback, listening
from tests.contract.proxy import Proxy, answering
from tests.contract.stands import STANDS, Stand


@pytest.fixture
async def callback() -> AsyncIterator[Callback]:
    taken = Callback()
    async with listening(taken):
        yield taken


@pytest.fixture(params=STANDS, ids=lambda made: made.__name__.removesuffix("Stand").lower())
async def stand(request: pytest.FixtureRequest, callback: Callback) -> AsyncIterator[Stand]:
    made: Stand = request.param()
    await made.start(callback.url)
    yield made
    await made.sandbox.stop()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with answering() as made:
        yield made


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(connect_seconds=5.0, read_seconds=0.3)
    yield client
    await client.close()


@pytest.fixture
async def patient() -> AsyncIterator[Http]:
    """For many requests at once, whose answers may take a while on a busy machine."""
    client = Http()
    yield client
    await client.close()
