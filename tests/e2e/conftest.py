"""Scenarios side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

AT_ONCE = 4

Run = Callable[[str, Path], Awaitable[None]]


class Ended:
    """What became of each scenario."""

    def __init__(self, troubles: Mapping[str, BaseException | None]) -> None:
        self._troubles = troubles

    def check(self, scenario: str) -> None:
        """Raises what went wrong in it."""
        trouble = self._troubles[scenario]
        if trouble is not None:
            raise trouble


@pytest.fixture(scope="session")
def side_by_side(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Runs every scenario that was selected, some at once: each mostly waits for the bot's ticks and Slack's limits.

    A test takes part by its parameter `scenario`, which its module's `run(scenario, folder)` does. One that uses the
    fixture `postgresql_url` has it handed to `run` by that name.
    """
    wanted: dict[str, Run] = {}
    for item in request.session.items:
        parameters = getattr(item, "callspec", None)
        if isinstance(item, pytest.Function) and parameters is not None and "scenario" in parameters.params:
            run = item.module.run
            if "postgresql_url" in item.fixturenames:
                run = partial(run, postgresql_url=request.getfixturevalue("postgresql_url"))
            wanted[parameters.params["scenario"]] = run
    return Ended(asyncio.run(_run_all(wanted, tmp_path_factory)))


async def _run_all(wanted: Mapping[str, Run], folders: pytest.TempPathFactory) -> dict[str, BaseException | None]:
    room = asyncio.Semaphore(AT_ONCE)

    async def run(scenario: str) -> None:
        async with room:
            await wanted[scenario](scenario, folders.mktemp("world"))

    # The browser takes longest.
    order = sorted(wanted, key=lambda scenario: "browser" not in scenario)
    ended = await asyncio.gather(*map(run, order), return_exceptions=True)
    return dict(zip(order, ended, strict=True))
