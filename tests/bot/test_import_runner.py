"""Imports that run beside everything else: each ends, or is there to be begun again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.import_runner import AT_ONCE, ImportRunner
from services.database import Database
from services.errors import BadFile
from services.imports import Import, Imports, Progress, UploadedFile
from services.states import ImportState
from tests.sandbox.people import until
from tests.services.builders import ANA, CHANNEL, WORKSPACE, Marketing

CSV = "mobile\n13812345678\n13812345679\n12345\n"


class Shelf:
    """Stands for the downloads: gives a small list, or does what the test says instead."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.instead: Callable[[Path], Awaitable[None]] | None = None

    async def fetch(self, workspace: str, url: str, path: Path) -> None:
        self.fetched.append(url)
        if self.instead is not None:
            await self.instead(path)
            return
        path.write_text(CSV, "utf-8")  # noqa: ASYNC240 - a few bytes


@pytest.fixture
def marketing(sqlite: Database) -> Marketing:
    return Marketing(sqlite)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def runner(marketing: Marketing, shelf: Shelf) -> AsyncIterator[ImportRunner]:
    made = a_runner(marketing.imports, shelf)
    yield made
    await made.stop()


def a_runner(imports: Imports, shelf: Shelf) -> ImportRunner:
    downloads: Any = shelf
    return ImportRunner(imports, downloads)


def begun(marketing: Marketing, name: str = "vip") -> Import:
    """A file whose group has been chosen."""
    group = marketing.a_group(name)
    file = UploadedFile(f"F{group.id}", "customers.csv", 10, "https://files.slack.com/1", CHANNEL, "171.01")
    asked = marketing.imports.receive(WORKSPACE, file, ANA)
    assert asked is not None
    return marketing.imports.begin(WORKSPACE, asked.id, group.id)


async def ended(marketing: Marketing, running: Import) -> Import:
    def look() -> Import | None:
        found = marketing.imports.get(WORKSPACE, running.id)
        return found if found.state is not ImportState.RUNNING else None

    found: Import = await until(look, 10)
    return found


async def test_what_is_running_in_the_database_is_taken_up_once(
    runner: ImportRunner, marketing: Marketing, shelf: Shelf
) -> None:
    running = [begun(marketing, "vip"), begun(marketing, "gold"), begun(marketing, "staff")]
    for _ in range(3):
        await runner.tick()
    for each in running:
        done = await ended(marketing, each)
        assert (done.state, done.imported, done.invalid) == (ImportState.DONE, 2, 1)
    assert len(shelf.fetched) == 3
    await until(lambda: all(runner.progress(each.id) is None for each in running), 20)


@pytest.mark.parametrize("why", ["login_page", "too_large"])
async def test_a_file_that_does_not_come_ends_the_import(
    why: str, runner: ImportRunner, marketing: Marketing, shelf: Shelf
) -> None:
    async def refuse(_path: Path) -> None:
        raise BadFile(why)

    shelf.instead = refuse
    running = begun(marketing)
    await runner.tick()
    failed = await ended(marketing, running)
    assert (failed.state, failed.failure) == (ImportState.FAILED, why)


async def test_a_defect_ends_the_import_and_is_logged(runner: ImportRunner, marketing: Marketing, shelf: Shelf) -> None:
    async def break_down(_path: Path) -> None:
        raise ZeroDivisionError

    shelf.instead = break_down
    running = begun(marketing)
    with capture_logs() as logs:
        await runner.tick()
        failed = await ended(marketing, running)
    assert failed.failure == "unexpected"
    assert [each["event"] for each in logs if each["log_level"] == "error"] == ["import.failed"]


async def test_a_download_under_way_does_not_hold_up_the_stop(marketing: Marketing, shelf: Shelf) -> None:
    async def hang(_path: Path) -> None:
        await asyncio.sleep(60)

    shelf.instead = hang
    running = begun(marketing)
    first = a_runner(marketing.imports, shelf)
    await first.tick()
    await until(lambda: shelf.fetched, 20)
    await asyncio.wait_for(first.stop(), 1)
    await first.tick()
    assert marketing.imports.get(WORKSPACE, running.id).state is ImportState.RUNNING
    shelf.instead = None
    second = a_runner(marketing.imports, shelf)
    await second.tick()
    assert (await ended(marketing, running)).imported == 2
    await second.stop()


class Slow(Imports):
    """Stops to be looked at after the first piece."""

    def __init__(self, real: Imports, database: Database, marketing: Marketing) -> None:
        super().__init__(database, marketing.clock)
        self.real = real
        self.reading, self.go_on = threading.Event(), threading.Event()

    def run(self, running: Import, path: Path, progress: Callable[[Progress], None]) -> Import:
        progress(Progress(1, 0.3))
        self.reading.set()
        self.go_on.wait(60)
        progress(Progress(2, 0.6))
        return self.real.run(running, path, progress)


async def test_an_import_that_others_go_before_is_known_to_wait(
    marketing: Marketing, sqlite: Database, shelf: Shelf
) -> None:
    slow = Slow(marketing.imports, sqlite, marketing)
    running = [begun(marketing, name) for name in ("vip", "gold", "staff")]
    runner = a_runner(slow, shelf)
    await runner.tick()

    def progress() -> list[Progress | None]:
        return [runner.progress(each.id) for each in running]

    await until(lambda: progress().count(Progress(1, 0.3)) == AT_ONCE, 20)
    assert progress().count(Progress(0, 0.0, waits=True)) == 1
    slow.go_on.set()
    for each in running:
        assert (await ended(marketing, each)).imported == 2
    await runner.stop()


async def test_an_import_cut_off_by_a_stop_begins_again_with_the_next_start(
    marketing: Marketing, sqlite: Database, shelf: Shelf
) -> None:
    slow = Slow(marketing.imports, sqlite, marketing)
    running = begun(marketing)
    first = a_runner(slow, shelf)
    await first.tick()
    await until(slow.reading.is_set, 20)
    assert first.progress(running.id) == Progress(1, 0.3)
    stopping = asyncio.create_task(first.stop())
    await asyncio.sleep(0.01)
    slow.go_on.set()
    await stopping
    assert marketing.imports.get(WORKSPACE, running.id).state is ImportState.RUNNING
    second = a_runner(marketing.imports, shelf)
    await second.tick()
    assert (await ended(marketing, running)).imported == 2
    await second.stop()
