"""From SQLite to PostgreSQL: every row, as often as it is tried, and nothing beside a live bot."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import MetaData, Table, func, select, update

from services.batch_queue import ProcrastinateQueue, queue_app
from services.carriers.ports import Receipt
from services.database import Database
from services.database_copy import HELD_FOR, CopyRefused, DatabaseCopy
from services.leases import TICKS, Leases
from services.models import customer_group, group_member, metadata, send_task
from services.partitions import WIDTH
from tests.services.audit import check_every_task
from tests.services.builders import ANA, Marketing, numbers
from tests.services.fakes import FakeClock


@pytest.fixture
async def lived(sqlite: Database) -> Marketing:
    """A workspace where things have happened: sent, refused, delivered, scheduled, and halfway."""
    marketing = Marketing(sqlite)
    sent = marketing.a_confirmed_task(450)
    await marketing.send_all()
    marketing.report(
        *(Receipt("delivered", "DELIVRD", f"id-{number}", f"x{sent.id}", number) for number in numbers(200))
    )
    marketing.a_confirmed_task(3, group="later", at=marketing.in_(timedelta(hours=2)))
    marketing.a_confirmed_task(900, group="halfway")
    await marketing.send_next(marketing.a_dispatch())
    marketing.groups.create(
        marketing.workspace_id, "Größe 大", marketing.groups.list(marketing.workspace_id)[0].sms_type, ANA
    )
    return marketing


@pytest.fixture
def copy(lived: Marketing, postgresql: Database, monkeypatch: pytest.MonkeyPatch) -> DatabaseCopy:
    monkeypatch.setattr(postgresql, "queue", ProcrastinateQueue(queue_app(postgresql.conninfo)))
    return DatabaseCopy(lived.database, postgresql, lived.clock)


def rows(database: Database) -> dict[str, int]:
    with database.read(everyone=True) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def test_every_row_arrives_and_the_bot_goes_on_there(
    lived: Marketing, copy: DatabaseCopy, postgresql: Database
) -> None:
    copied = copy.run()
    slack = {"slack_bots": 0, "slack_installations": 0}
    assert {each.name: each.rows for each in copied} == slack | {
        name: count for name, count in rows(lived.database).items() if name != "lease"
    }
    assert rows(postgresql) == rows(lived.database)
    check_every_task(postgresql)
    there = Marketing(postgresql, clock=lived.clock)
    assert [group.name for group in there.groups.list(there.workspace_id)] == [
        group.name for group in lived.groups.list(lived.workspace_id)
    ]
    made = there.a_group("made there", numbers(5))
    assert made.size == 5, "its number was not taken yet"


def test_a_key_that_was_given_once_is_never_given_again(
    lived: Marketing, copy: DatabaseCopy, postgresql: Database
) -> None:
    """Not that of a preview that is gone either: its buttons are still in Slack."""
    gone = lived.a_draft(["vip"])
    lived.clock.move(timedelta(days=3))
    assert lived.tasks.forget_drafts() == 1
    copy.run()
    there = Marketing(postgresql, clock=lived.clock)
    assert there.a_draft(["vip"]).draft_id > gone.draft_id


def test_keys_far_beyond_the_first_partition_have_one_too(
    lived: Marketing, copy: DatabaseCopy, postgresql: Database
) -> None:
    """Each restore of a SQLite installation has skipped a million of them."""
    with postgresql.read(everyone=True) as connection:
        no = connection.exec_driver_sql("SELECT last_value FROM send_task_id_seq").scalar_one() // WIDTH + 3
    far = no * WIDTH + 5
    with lived.database.write(everyone=True) as tx:
        tx.exec_driver_sql(f"UPDATE sqlite_sequence SET seq = {far} WHERE name = 'send_task'")
        tx.commit()
    task = lived.a_confirmed_task(7, group="far")
    assert task.id > far
    copy.run()
    with postgresql.read(everyone=True) as connection:
        where = "SELECT DISTINCT tableoid::regclass::text FROM recipient WHERE task_id = %s"
        assert connection.exec_driver_sql(where, (task.id,)).scalar_one() == f"recipient_p{no}"
    assert Marketing(postgresql, clock=lived.clock).a_confirmed_task(3, group="there").id > task.id


def test_the_workspaces_that_installed_the_app_come_along(
    lived: Marketing, copy: DatabaseCopy, postgresql: Database
) -> None:
    at = datetime(2026, 3, 4, 2, 0, 0, 123456)  # noqa: DTZ001 - Slack's stores keep UTC without saying so
    source = Table("slack_bots", MetaData(), autoload_with=lived.database.engine)
    target = Table("slack_bots", MetaData(), autoload_with=postgresql.engine)
    with lived.database.write(everyone=True) as tx:
        tx.execute(source.insert().values(id=7, client_id="1", team_id="T1", installed_at=at, **_NO_COMPANY))
        tx.commit()
    copied = {each.name: each.rows for each in copy.run()}
    assert copied["slack_bots"] == 1
    with postgresql.write(everyone=True) as tx:
        row = tx.execute(select(target)).one()
        new = tx.execute(target.insert().values(client_id="1", installed_at=at, **_NO_COMPANY)).inserted_primary_key
        tx.execute(target.delete())
        tx.commit()
    with lived.database.write(everyone=True) as tx:
        tx.execute(source.delete())
        tx.commit()
    assert (row.team_id, row.is_enterprise_install, row.installed_at) == ("T1", False, at)
    assert new is not None
    assert new[0] > row.id == 7


_NO_COMPANY = {"is_enterprise_install": False}


def test_the_rest_of_a_task_waits_in_the_queue(copy: DatabaseCopy, postgresql: Database) -> None:
    copy.run()
    with postgresql.read(everyone=True) as connection:
        waiting = connection.exec_driver_sql("SELECT args->>'no' AS no FROM procrastinate_jobs ORDER BY id").scalars()
        assert list(waiting) == ["2", "3"]


def test_an_interrupted_copy_goes_on_where_it_was(lived: Marketing, copy: DatabaseCopy, postgresql: Database) -> None:
    def interrupt(table: str, _count: int) -> None:
        if table == "recipient":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy.run(interrupt)
    assert 0 < sum(rows(postgresql).values()) < sum(rows(lived.database).values())
    copy.run()
    assert rows(postgresql) == rows(lived.database)
    again = copy.run()
    assert sum(each.rows for each in again) > 0, "and once more changes nothing"
    assert rows(postgresql) == rows(lived.database)


def test_a_row_that_differs_is_found(lived: Marketing, copy: DatabaseCopy, postgresql: Database) -> None:
    copy.run()
    with postgresql.write(everyone=True) as tx:
        tx.execute(update(group_member).where(group_member.c.number == numbers(1)[0]).values(row=77))
        tx.commit()
    with pytest.raises(CopyRefused) as refused:
        copy.run()
    assert (refused.value.why, refused.value.facts["table"]) == ("differs", "group_member")


@pytest.mark.parametrize("side", ["source", "target"])
def test_beside_a_live_bot_nothing_is_copied(
    side: str, lived: Marketing, copy: DatabaseCopy, postgresql: Database
) -> None:
    database = lived.database if side == "source" else postgresql
    clock = FakeClock(lived.clock.now())
    assert Leases(database, clock, "bot-1").hold(TICKS, timedelta(seconds=6))
    with pytest.raises(CopyRefused) as refused:
        copy.run()
    assert (refused.value.why, refused.value.facts["owner"]) == (f"{side}_live", "bot-1")
    lived.clock.move(timedelta(seconds=7))
    assert copy.run(), "it has been gone for longer than its lease"


def bots(lived: Marketing, postgresql: Database) -> list[Leases]:
    """One on each side, which ask for what a bot needs to start."""
    return [Leases(database, lived.clock, "bot-1") for database in (lived.database, postgresql)]


def queued(postgresql: Database) -> int:
    with postgresql.read(everyone=True) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM procrastinate_jobs").scalar_one())


def test_no_bot_can_start_on_either_side_until_it_is_copied(
    lived: Marketing, copy: DatabaseCopy, postgresql: Database
) -> None:
    starting = bots(lived, postgresql)
    started: list[bool] = []

    def look(_table: str, _count: int) -> None:
        lived.clock.move(HELD_FOR / 2)
        started.extend(each.hold(TICKS, timedelta(seconds=6)) for each in starting)

    copy.run(look)
    assert len(started) > 10
    assert not any(started)
    assert all(each.hold(TICKS, timedelta(seconds=6)) for each in starting), "and then at once"


@pytest.mark.parametrize("side", [0, 1], ids=["source", "target"])
def test_a_copy_that_was_held_up_while_a_bot_started_goes_no_further(
    side: int, lived: Marketing, copy: DatabaseCopy, postgresql: Database
) -> None:
    def hold_up(table: str, _count: int) -> None:
        if table == "recipient":
            lived.clock.move(HELD_FOR * 2)
            assert bots(lived, postgresql)[side].hold(TICKS, timedelta(seconds=6))

    with pytest.raises(CopyRefused) as refused:
        copy.run(hold_up)
    assert (refused.value.why, refused.value.facts["owner"]) == (f"{('source', 'target')[side]}_live", "bot-1")
    assert queued(postgresql) == 0


async def test_what_is_sent_from_the_source_meanwhile_is_found_and_nothing_is_queued(
    lived: Marketing, copy: DatabaseCopy, postgresql: Database
) -> None:
    """By a bot that was only held up, and has noticed nothing."""
    dispatch = lived.a_dispatch()

    def send(table: str, _count: int) -> None:
        if table == "batch":
            claim = dispatch.claim(lived.a_sender())
            assert claim is not None
            dispatch.record(claim, {})

    with pytest.raises(CopyRefused) as refused:
        copy.run(send)
    assert refused.value.why == "differs"
    assert queued(postgresql) == 0


def test_two_copies_at_once_are_one(lived: Marketing, copy: DatabaseCopy, postgresql: Database) -> None:
    other = DatabaseCopy(lived.database, postgresql, lived.clock)

    def begin_another(_table: str, _count: int) -> None:
        with pytest.raises(CopyRefused) as refused:
            other.run()
        assert refused.value.why == "source_copying"

    copy.run(begin_another)


def test_text_keys_are_in_the_order_of_their_bytes_when_it_is_resumed(lived: Marketing, postgresql: Database) -> None:
    """Another order would leave rows out, or bring them twice."""
    with lived.database.write(everyone=True) as tx:
        for name in ["a", "Z", "é", "大", "_", "B", "zz", "0"]:
            tx.execute(metadata.tables["workspace"].insert().values(id=name))
        tx.commit()
    one_by_one = DatabaseCopy(lived.database, postgresql, lived.clock, rows_at_once=1)

    def interrupt(table: str, _count: int) -> None:
        raise KeyboardInterrupt

    for _ in range(8):
        with pytest.raises(KeyboardInterrupt):
            one_by_one.run(interrupt)
    one_by_one.run()
    assert rows(postgresql)["workspace"] == rows(lived.database)["workspace"] == 9


def test_nothing_but_keys_and_counts_is_changed(lived: Marketing, copy: DatabaseCopy, postgresql: Database) -> None:
    copy.run()
    for database in (lived.database, postgresql):
        with database.read(everyone=True) as connection:
            states = connection.execute(select(send_task.c.state).order_by(send_task.c.id)).scalars().all()
            sizes = connection.execute(select(customer_group.c.size).order_by(customer_group.c.id)).scalars().all()
        assert states == ["finished", "scheduled", "sending"], database.engine.name
        assert sizes == [450, 3, 900, 0]
