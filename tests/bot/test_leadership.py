"""Of several processes on one database, one ticks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.leadership import LEASE, Leadership
from bot.process import process_name
from bot.scheduler import Ticks
from services.database import Database
from services.leases import Leases
from tests.sandbox.people import until
from tests.services.fakes import FakeClock


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'sms.db'}")
    made.migrate()
    yield made
    made.close()


class Process:
    """A process of the fleet, with a clock of its own that the test moves."""

    def __init__(self, database: Database, clock: FakeClock, name: str) -> None:
        self.seconds = 0.0
        self.leadership = Leadership(Leases(database, clock, name), monotonic=lambda: self.seconds)


async def test_one_process_leads_and_another_takes_over_when_it_is_gone(database: Database) -> None:
    clock = FakeClock()
    one, other = Process(database, clock, "one"), Process(database, clock, "other")
    await one.leadership.start()
    assert one.leadership.leads()
    await other.leadership.start()
    assert not other.leadership.leads()
    # Stopping lets go of the lease, so the other has it at its next question.
    await one.leadership.stop()
    assert not one.leadership.leads()
    await until(other.leadership.leads, 20)
    await other.leadership.stop()


def test_two_processes_that_share_host_and_number_are_two(database: Database, postgresql: Database) -> None:
    """Containers with the host's network are all number 1 of one host."""
    assert process_name(postgresql) != process_name(postgresql)
    assert process_name(database) == process_name(database), "the one on SQLite takes its own batches back at once"


async def test_who_was_held_up_for_longer_than_the_lease_does_not_lead(database: Database) -> None:
    process = Process(database, FakeClock(), "one")
    await process.leadership.start()
    assert process.leadership.leads()
    process.seconds += LEASE.total_seconds()
    assert not process.leadership.leads()
    await process.leadership.stop()


async def test_only_the_leader_ticks() -> None:
    leads, calls = [False], [0, 0]

    def in_a_thread() -> None:
        calls[0] += 1

    async def on_the_loop() -> None:
        calls[1] += 1

    ticks = Ticks(leads=lambda: leads[0])
    ticks.every(0.01, in_a_thread, in_thread=True)
    ticks.every(0.01, on_the_loop, in_thread=False)
    ticks.start()
    rounds = [0]

    async def round_of_another() -> None:
        rounds[0] += 1

    others = Ticks()
    others.every(0.01, round_of_another, in_thread=False)
    others.start()
    await until(lambda: rounds[0] >= 5, 20)
    assert calls == [0, 0]
    leads[0] = True
    await until(lambda: min(calls) >= 2, 20)
    await ticks.stop()
    await others.stop()
