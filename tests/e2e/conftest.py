"""The worlds of the end-to-end tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.person import BEN, Person
from tests.e2e.world import World, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world of this test's own, over Socket Mode."""
    async with running(tmp_path / "data") as started:
        yield started


@pytest.fixture
def ben(world: World) -> Person:
    """Ben, in New York."""
    return world.person(BEN)
