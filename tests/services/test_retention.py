"""What is older than its workspace's retention is gone, row by row or a whole partition at once; its counts stay."""

from datetime import timedelta

import pytest
from sqlalchemy import Table, func, select

from services.carriers import ports
from services.carriers.ports import Receipt
from services.database import Database
from services.errors import NotAllowed
from services.models import (
    batch,
    import_reject,
    import_row,
    number_import,
    receipt,
    recipient,
    reply,
    result,
    sent_sms,
    submission,
    unread_callback,
)
from services.partitions import WIDTH, Partitions
from services.pool import Pool
from services.replies import Replies
from services.retention import AT_ONCE, LONGEST_SPAN, Periods, Retention
from services.task_messages import MessagePlace, TaskMessages
from services.task_reports import Task
from services.unread_callbacks import UnreadCallbacks
from tests.services.audit import check_every_task
from tests.services.builders import ANA, FIRST_NUMBER, Marketing
from tests.services.fakes import FakeCarrier

DAYS = timedelta(days=1)
KEPT = 90 * DAYS
# A partition's share of that, and a moment.
LATER = KEPT + 3 * DAYS + timedelta(minutes=1)
ROWS = (recipient, submission, result, receipt, batch)


def a_retention(marketing: Marketing, default: timedelta | None = KEPT, **of_workspaces: timedelta) -> Retention:
    return Retention(marketing.database, marketing.clock, Periods(default, of_workspaces))


def counts(database: Database, *tables: Table) -> list[int]:
    with database.read(everyone=True) as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


async def a_task_with_results(marketing: Marketing, count: int = 450, group: str = "vip") -> Task:
    """All accepted; two in three are reported."""
    task = marketing.a_confirmed_task(count, group=group)
    before = len(marketing.carrier.requests)
    await marketing.send_all()
    for request in marketing.carrier.requests[before:]:
        reported = [number for number in request.numbers if number % 3]
        marketing.report(
            *(Receipt("delivered", "DELIVRD", f"{task.id}-{number}", request.reference, number) for number in reported)
        )
    return marketing.task(task)


def forgotten(marketing: Marketing, task: Task) -> bool:
    return marketing.task(task).forgotten_at is not None


async def test_every_row_goes_and_every_count_stays(marketing: Marketing) -> None:
    before = await a_task_with_results(marketing)
    retention = a_retention(marketing)
    marketing.clock.move(KEPT - timedelta(minutes=1))
    retention.tick()
    assert counts(marketing.database, *ROWS) == [450, 450, 300, 300, 2]
    assert not forgotten(marketing, before)
    marketing.clock.move(LATER - KEPT + timedelta(minutes=2))
    retention.tick()
    assert counts(marketing.database, *ROWS) == [0, 0, 0, 0, 0]
    after = marketing.task(before)
    assert after.forgotten_at == marketing.clock.now()
    for name in ("recipients", "accepted", "delivered", "unknown", "groups", "text", "took", "finished_at", "version"):
        assert getattr(after, name) == getattr(before, name), name
    check_every_task(marketing.database)


async def test_nothing_finds_a_forgotten_number_any_more(marketing: Marketing) -> None:
    task = await a_task_with_results(marketing)
    pool = Pool(marketing.database)
    assert pool.find(marketing.workspace_id, FIRST_NUMBER).message_count == 1
    assert marketing.reports.get_with_numbers(marketing.workspace_id, task.number) == task
    marketing.clock.move(LATER)
    a_retention(marketing).tick()
    assert pool.find(marketing.workspace_id, FIRST_NUMBER).message_count == 0
    with pytest.raises(NotAllowed) as refused:
        marketing.reports.get_with_numbers(marketing.workspace_id, task.number)
    assert (refused.value.rule, refused.value.facts) == (
        "task_forgotten",
        {"number": task.number, "at": marketing.clock.now()},
    )
    assert [each.number for each in marketing.reports.list(marketing.workspace_id)] == [task.number]


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(MessagePlace(), id="all"),
        pytest.param(MessagePlace(number=FIRST_NUMBER), id="one number"),
        pytest.param(MessagePlace("before", 9, ending="0001"), id="an ending"),
    ],
)
async def test_a_forgotten_task_has_no_messages_to_look_at(marketing: Marketing, place: MessagePlace) -> None:
    task = await a_task_with_results(marketing, 9)
    marketing.clock.move(LATER)
    a_retention(marketing).tick()
    page = TaskMessages(marketing.database).page(marketing.task(task), place, 6)
    assert (list(page.messages), page.has_before, page.has_after) == ([], False, False)
    # Whoever read the task a moment before it was forgotten finds nothing either.
    page = TaskMessages(marketing.database).page(task, place, 6)
    assert list(page.messages) == []


async def test_a_task_that_is_not_over_is_never_forgotten(marketing: Marketing) -> None:
    marketing.a_confirmed_task(3, group="scheduled", at=marketing.in_(timedelta(hours=1)))
    half = marketing.a_confirmed_task(900, group="half")
    assert marketing.a_dispatch().claim(marketing.sender) is not None
    marketing.tasks.stop(marketing.workspace_id, half.number, ANA)
    draft = marketing.a_draft(["scheduled"])
    marketing.clock.move(10 * LATER)
    a_retention(marketing).tick()
    assert not any(forgotten(marketing, task) for task in marketing.reports.list(marketing.workspace_id))
    assert counts(marketing.database, recipient) == [903]
    assert marketing.confirmed(draft).recipients == 3
    marketing.a_dispatch().give_up_lost()
    a_retention(marketing).tick()
    assert not forgotten(marketing, half), "it has just ended"
    marketing.clock.move(LATER)
    a_retention(marketing).tick()
    assert forgotten(marketing, half)


def test_what_was_cancelled_counts_from_when_it_was_due(marketing: Marketing) -> None:
    due_in = timedelta(days=20)
    task = marketing.a_confirmed_task(3, at=marketing.in_(due_in))
    marketing.tasks.cancel(marketing.workspace_id, task.number, ANA)
    retention = a_retention(marketing)
    marketing.clock.move(KEPT + 10 * DAYS)
    retention.tick()
    assert not forgotten(marketing, task)
    marketing.clock.move(LATER + due_in)
    retention.tick()
    assert forgotten(marketing, task)


@pytest.mark.parametrize(
    ("default", "own", "goes"),
    [(None, None, False), (KEPT, None, True), (None, KEPT, True), (KEPT, 5 * KEPT, False), (5 * KEPT, KEPT, True)],
)
async def test_each_workspace_has_its_own_retention(
    marketing: Marketing, default: timedelta | None, own: timedelta | None, goes: bool
) -> None:
    task = await a_task_with_results(marketing, 3)
    retention = a_retention(marketing, default, **({} if own is None else {marketing.workspace_id: own}))
    marketing.clock.move(LATER)
    retention.tick()
    assert forgotten(marketing, task) is goes
    assert counts(marketing.database, recipient) == [0 if goes else 3]


async def test_two_workspaces_in_one_database_forget_at_different_times(database: Database) -> None:
    short = Marketing(database)
    long = Marketing(database, workspace_id="T0LONG", clock=short.clock)
    theirs, ours = await a_task_with_results(long, 5), await a_task_with_results(short, 3)
    short.clock.move(LATER)
    a_retention(short, 5 * KEPT, **{short.workspace_id: KEPT}).tick()
    assert (forgotten(short, ours), forgotten(long, theirs)) == (True, False)
    assert counts(database, recipient, submission) == [5, 5]
    check_every_task(database)


class OneStep:
    """A clock by which every step takes longer than a tick may."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 60
        return self.seconds


async def test_a_tick_that_was_cut_short_goes_on_in_the_next(marketing: Marketing) -> None:
    task = await a_task_with_results(marketing, 2 * AT_ONCE + 300)
    # Nobody has started it, so its partition cannot be dropped.
    marketing.a_confirmed_task(3, group="later", at=marketing.in_(DAYS), first=FIRST_NUMBER + 10_000)
    marketing.clock.move(LATER)
    left = []
    for _ in range(40):
        # A new process each time.
        Retention(marketing.database, marketing.clock, Periods(KEPT), OneStep()).tick()
        left += counts(marketing.database, recipient)
        check_every_task(marketing.database)
        found = Pool(marketing.database).find(marketing.workspace_id, FIRST_NUMBER).message_count
        assert found == (0 if forgotten(marketing, task) else 1), "not while half of it is there either"
    assert forgotten(marketing, task)
    assert left == sorted(left, reverse=True)
    assert (left[0], left[-1]) == (2 * AT_ONCE + 303, 3)
    assert len(set(left)) >= 3, "some at a time"


async def test_receipts_that_come_for_a_forgotten_task_change_nothing(marketing: Marketing) -> None:
    task = await a_task_with_results(marketing, 3)
    reference = marketing.carrier.requests[-1].reference
    marketing.clock.move(LATER)
    retention = a_retention(marketing)
    retention.tick()
    before = marketing.task(task)
    marketing.report(Receipt("failed", "UNDELIV", "late", reference, FIRST_NUMBER))
    assert marketing.task(task) == before
    assert counts(marketing.database, receipt, result) == [1, 0]
    marketing.clock.move(LATER)
    retention.tick()
    assert counts(marketing.database, receipt) == [0], "it is of no task, and goes by its own age"


async def test_receipts_of_no_task_go_by_their_age(marketing: Marketing) -> None:
    marketing.report(
        Receipt("delivered", "DELIVRD", "1", None, 1), Receipt("delivered", "DELIVRD", "2", "77777-x-1", 2)
    )
    marketing.clock.move(KEPT / 2)
    marketing.report(Receipt("delivered", "DELIVRD", "3", "nobody", 3))
    marketing.clock.move(KEPT / 2 + timedelta(minutes=1))
    a_retention(marketing).tick()
    assert counts(marketing.database, receipt) == [1]


async def test_sms_ids_of_carriers_without_references_go_with_the_task(database: Database) -> None:
    silent = Marketing(database, carrier=FakeCarrier(echoes_reference=False))
    silent.a_confirmed_task(5)
    await silent.send_all()
    silent.clock.move(KEPT / 2)
    young = silent.a_confirmed_task(3, group="young", first=FIRST_NUMBER + 100)
    await silent.send_all()
    assert counts(database, sent_sms) == [8]
    silent.clock.move(KEPT / 2 + 4 * DAYS)
    a_retention(silent).tick()
    with database.read(everyone=True) as connection:
        assert set(connection.execute(select(sent_sms.c.task_id)).scalars()) == {young.id}


def test_replies_and_unread_callbacks_go_by_their_age(marketing: Marketing) -> None:
    replies = Replies(marketing.database, marketing.clock)
    unread = UnreadCallbacks(marketing.database, marketing.clock)
    for sms_id in ("old", "new"):
        said = ports.Reply(FIRST_NUMBER, "How do I get there?", sms_id)
        replies.store([(marketing.application_id, said)])
        unread.keep(marketing.application_id, "not JSON", b"+8613800138000")
        marketing.clock.move(KEPT / 2 + DAYS)
    a_retention(marketing).tick()
    with marketing.database.read(everyone=True) as connection:
        assert connection.execute(select(reply.c.sms_id)).scalars().all() == ["new"]
    assert counts(marketing.database, unread_callback) == [1]


def test_rows_of_imports_go_and_their_counts_stay(marketing: Marketing) -> None:
    group = marketing.a_group("vip", [])
    with marketing.database.write(everyone=True) as tx:
        ids = [
            tx.execute(number_import.insert().values(_an_import(marketing, group.id, state))).inserted_primary_key[0]  # type: ignore[index]
            for state in ("done", "running")
        ]
        for import_id in ids:
            reject = {"import_id": import_id, "seq": 1, "sheet": "", "row": 1, "original": "138", "reason": "too_short"}
            tx.execute(import_reject.insert().values(reject))
            rows = [{"import_id": import_id, "seq": seq, "number": seq, "row": seq} for seq in range(AT_ONCE + 5)]
            tx.execute(import_row.insert(), rows)
        tx.commit()
    marketing.clock.move(KEPT + timedelta(minutes=1))
    a_retention(marketing).tick()
    assert counts(marketing.database, import_reject, import_row) == [1, AT_ONCE + 5], "those of the one under way"
    with marketing.database.read(everyone=True) as connection:
        done = connection.execute(select(number_import).where(number_import.c.id == ids[0])).one()
    assert (done.imported, done.invalid, done.keepable, done.columns) == (7, 1, 0, None)
    assert done.forgotten_at == marketing.clock.now()


def _an_import(marketing: Marketing, group_id: int, state: str) -> dict[str, object]:
    return {
        "workspace_id": marketing.workspace_id,
        "channel": "C0",
        "thread_ts": "1.1",
        "file_id": state,
        "file_name": "a.csv",
        "file_size": 1,
        "file_url": "",
        "uploaded_by": ANA,
        "received_at": marketing.clock.now(),
        "group_id": group_id,
        "state": state,
        "imported": 7,
        "invalid": 1,
        "keepable": 1,
        "columns": '[["A", "Mobile", ["13800138000"], "A"]]',
        "finished_at": marketing.clock.now() if state == "done" else None,
    }


class TestPartitions:
    """On PostgreSQL alone."""

    @pytest.fixture
    def marketing(self, postgresql: Database) -> Marketing:
        return Marketing(postgresql)

    def partitions(self, marketing: Marketing, table: Table = recipient) -> set[int]:
        with marketing.database.read(everyone=True) as connection:
            names = connection.exec_driver_sql(
                "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = %s::regclass",
                (table.name,),
            ).scalars()
            return {int(name.rpartition("_p")[2]) for name in names if "_p" in name}

    def sizes(self, marketing: Marketing, no: int) -> list[int]:
        with marketing.database.read(everyone=True) as connection:
            return [
                connection.exec_driver_sql(f"SELECT count(*) FROM {name}_p{no}").scalar_one()
                for name in ("recipient", "submission", "result", "receipt")
            ]

    async def test_a_partition_whose_tasks_are_all_past_is_dropped(self, marketing: Marketing) -> None:
        retention = a_retention(marketing)
        old = await a_task_with_results(marketing)
        no = old.id // WIDTH
        assert self.sizes(marketing, no) == [450, 450, 300, 300]
        marketing.clock.move(3 * DAYS + timedelta(minutes=1))
        retention.tick()
        young = await a_task_with_results(marketing, 30, group="young")
        assert young.id // WIDTH == no + 1, "a new span has begun"
        assert self.sizes(marketing, no + 1) == [30, 30, 20, 20]
        assert {no, no + 1, no + 2} <= self.partitions(marketing)
        marketing.clock.move(KEPT - 3 * DAYS)
        retention.tick()
        for table in (recipient, submission, result, receipt):
            assert self.partitions(marketing, table) & {no, no + 1, no + 2} == {no + 1, no + 2}, table.name
        assert forgotten(marketing, old)
        assert (marketing.task(old).delivered, marketing.task(old).accepted) == (300, 450)
        assert marketing.task(young) == young
        assert counts(marketing.database, *ROWS) == [30, 30, 20, 20, 1]
        check_every_task(marketing.database)

    async def test_a_partition_waits_for_its_last_task_and_the_others_do_not(self, marketing: Marketing) -> None:
        retention = a_retention(marketing)
        done = await a_task_with_results(marketing)
        later = marketing.a_confirmed_task(3, group="later", at=marketing.in_(29 * DAYS))
        marketing.clock.move(LATER)
        retention.tick()
        assert forgotten(marketing, done)
        assert counts(marketing.database, recipient) == [3]
        assert done.id // WIDTH in self.partitions(marketing)
        marketing.tasks.start_due()
        marketing.clock.move(LATER)
        retention.tick()
        assert forgotten(marketing, later)
        assert done.id // WIDTH not in self.partitions(marketing)

    def test_nothing_ever_lies_in_a_default_partition(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        marketing.report(Receipt("delivered", "DELIVRD", "1", f"{10**17}-token-1", 1))
        marketing.report(Receipt("delivered", "DELIVRD", "2", None, 1))
        with marketing.database.read(everyone=True) as connection:
            for name in ("recipient", "submission", "result", "receipt"):
                assert connection.exec_driver_sql(f"SELECT count(*) FROM {name}_rest").scalar_one() == 0
            assert connection.exec_driver_sql("SELECT count(*) FROM receipt_untold").scalar_one() == 2

    async def test_while_somebody_reads_for_long_it_is_left_for_another_time(self, marketing: Marketing) -> None:
        retention = a_retention(marketing)
        task = await a_task_with_results(marketing, 3)
        marketing.clock.move(3 * DAYS + timedelta(minutes=1))
        retention.tick()
        marketing.clock.move(KEPT - DAYS)
        with marketing.database.read(everyone=True) as reading:
            assert reading.execute(select(func.count()).select_from(recipient)).scalar_one() == 3
            retention.tick()
            assert not forgotten(marketing, task)
        assert counts(marketing.database, recipient) == [3]
        retention.tick()
        assert forgotten(marketing, task)

    @pytest.mark.parametrize(
        ("periods", "days"),
        [
            (Periods(), 30),
            (Periods(90 * DAYS), 3),
            (Periods(4 * DAYS), 1),
            (Periods(3650 * DAYS), 30),
            (Periods(90 * DAYS, {"T1": 300 * DAYS}), 10),
            (Periods(None, {"T1": 30 * DAYS}), 30),
        ],
    )
    def test_a_span_is_a_thirtieth_of_the_longest_retention(self, periods: Periods, days: int) -> None:
        assert periods.span == days * DAYS <= LONGEST_SPAN

    def test_room_is_made_before_it_is_needed(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        no = task.id // WIDTH + 5
        Partitions(marketing.database).cover(no * WIDTH + 17)
        assert {no, no + 1} <= self.partitions(marketing)
        assert marketing.a_confirmed_task(3, group="there").id == no * WIDTH
        assert self.sizes(marketing, no)[0] == 3
