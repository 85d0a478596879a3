"""Scenarios side by side."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.world import SideBySide


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def side_by_side(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SideBySide]:
    """Begins the module's `run(name, folder)` for each `scenario` that was selected, with a folder of its own."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    mine = [item for item in items if item.module is request.module and hasattr(item, "callspec")]
    names = dict.fromkeys(str(item.callspec.params["scenario"]) for item in mine)
    running = SideBySide()
    running.begin(names, lambda name: request.module.run(name, tmp_path_factory.mktemp("world")))
    yield running
    await running.stop()
