from datetime import timedelta

from services.database import Database
from services.leases import Leases
from tests.services.fakes import FakeClock

FOR = timedelta(seconds=6)


def test_one_process_holds_a_lease_and_renews_it(database: Database) -> None:
    clock = FakeClock()
    one, other = Leases(database, clock, "one"), Leases(database, clock, "other")
    assert one.hold("ticks", FOR)
    assert not other.hold("ticks", FOR)
    clock.move(timedelta(seconds=5))
    assert one.hold("ticks", FOR)
    clock.move(timedelta(seconds=5))
    assert not other.hold("ticks", FOR), "it was renewed"


def test_another_process_takes_over_when_it_runs_out(database: Database) -> None:
    clock = FakeClock()
    one, other = Leases(database, clock, "one"), Leases(database, clock, "other")
    assert one.hold("ticks", FOR)
    clock.move(FOR + timedelta(milliseconds=1))
    assert other.hold("ticks", FOR)
    assert not one.hold("ticks", FOR)


def test_a_lease_that_is_let_go_is_free_at_once(database: Database) -> None:
    clock = FakeClock()
    one, other = Leases(database, clock, "one"), Leases(database, clock, "other")
    assert one.hold("ticks", FOR)
    other.let_go("ticks")
    assert not other.hold("ticks", FOR), "only its owner can let it go"
    one.let_go("ticks")
    assert other.hold("ticks", FOR)


def test_leases_of_other_names_are_other_leases(database: Database) -> None:
    clock = FakeClock()
    assert Leases(database, clock, "one").hold("ticks", FOR)
    assert Leases(database, clock, "other").hold("copies", FOR)
