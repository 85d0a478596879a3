"""Receipts: in any order, however often, and only about messages of ours; final never moves."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from services.carriers.ports import Receipt, Submission
from services.database import Database
from services.models import result, send_task
from services.pool import Fate
from services.receipts import APPLIED_AT_ONCE, LONGEST_SECONDS, Receipts
from services.states import TaskState
from services.task_messages import MessagePlace, TaskMessages
from services.task_reports import Task
from tests.services.audit import check_every_task
from tests.services.builders import ANA, FIRST_NUMBER, Marketing, numbers
from tests.services.fakes import FakeCarrier, not_taken, refuse, unanswered

NUMBER = FIRST_NUMBER


def delivered(reference: str, number: int = NUMBER, sequence: int = 1, total: int = 1) -> Receipt:
    return Receipt("delivered", "DELIVRD", f"id-{number}", reference, number, sequence, total)


def failed(reference: str, number: int = NUMBER, sequence: int = 1, total: int = 1) -> Receipt:
    return Receipt("failed", "UNDELIV", f"id-{number}", reference, number, sequence, total)


def pending(reference: str) -> Receipt:
    return Receipt("pending", "ACCEPTD", f"id-{NUMBER}", reference, NUMBER)


def results(database: Database, task: Task) -> dict[int, str]:
    with database.read() as connection:
        rows = connection.execute(select(result).where(result.c.task_id == task.id))
        return {row.seq: row.state for row in rows}


async def a_sent_task(marketing: Marketing, count: int = 3) -> tuple[Task, str]:
    """A task of one batch that was accepted, and the batch's reference."""
    task = marketing.a_confirmed_task(count)
    await marketing.send_all()
    return task, marketing.carrier.requests[-1].reference


async def test_receipts_settle_messages(marketing: Marketing) -> None:
    task, reference = await a_sent_task(marketing)
    marketing.report(delivered(reference), failed(reference, NUMBER + 1), pending(reference))
    now = marketing.task(task)
    assert (now.delivered, now.failed, now.unknown, now.is_settled) == (1, 1, 1, False)
    assert now.version > task.version
    marketing.report(delivered(reference, NUMBER + 2))
    assert marketing.task(task).is_settled
    check_every_task(marketing.database)


async def test_a_receipt_is_applied_once_however_often_it_comes(marketing: Marketing) -> None:
    task, reference = await a_sent_task(marketing)
    report = [(marketing.application_id, delivered(reference))]
    assert marketing.receipts.store([*report, *report]) == 1
    assert marketing.receipts.store(report) == 0
    assert marketing.receipts.apply() == 1
    assert marketing.receipts.store(report) == 0
    assert marketing.receipts.apply() == 0
    assert marketing.task(task).delivered == 1


@pytest.mark.parametrize(
    ("ticks", "state"),
    [
        pytest.param([[failed], [delivered]], "failed", id="failed, later delivered"),
        pytest.param([[delivered], [failed]], "delivered", id="delivered, later failed"),
        pytest.param([[pending], [delivered]], "delivered", id="pending, later delivered"),
        pytest.param([[delivered], [pending]], "delivered", id="delivered, later pending"),
        pytest.param([[failed, delivered]], "failed", id="failed and delivered in one tick"),
        pytest.param([[delivered, pending]], "delivered", id="delivered and pending in one tick"),
    ],
)
async def test_final_never_moves(marketing: Marketing, ticks: list[list[Callable[[str], Receipt]]], state: str) -> None:
    task, reference = await a_sent_task(marketing, 1)
    for tick in ticks:
        marketing.report(*(report(reference) for report in tick))
    assert results(marketing.database, task) == {1: state}
    check_every_task(marketing.database)


async def test_a_refused_message_stays_refused(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(1)
    marketing.carrier.will(refuse(NUMBER))
    await marketing.send_all()
    marketing.report(delivered(marketing.carrier.requests[0].reference))
    now = marketing.task(task)
    assert (now.refused, now.delivered, now.unknown) == (1, 0, 0)
    check_every_task(marketing.database)


async def test_a_receipt_may_overtake_its_own_answer(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(3)
    counted: list[tuple[int, int]] = []

    def report_at_once(request: Submission) -> None:
        marketing.report(delivered(request.reference), failed(request.reference, NUMBER + 1))
        now = marketing.task(task)
        counted.append((now.unknown, now.delivered))
        check_every_task(marketing.database)

    marketing.carrier.before_each = report_at_once
    await marketing.send_all()
    assert counted == [(0, 0)]
    marketing.receipts.apply()
    now = marketing.task(task)
    assert (now.delivered, now.failed, now.unknown) == (1, 1, 1)
    check_every_task(marketing.database)


async def test_a_receipt_settles_a_message_whose_request_had_no_answer(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(3)
    marketing.carrier.will(unanswered)
    await marketing.send_all()
    marketing.report(delivered(marketing.carrier.requests[0].reference))
    now = marketing.task(task)
    assert (now.accepted, now.delivered, now.unknown) == (0, 1, 2)
    check_every_task(marketing.database)


async def test_a_receipt_settles_a_message_of_a_worker_that_died(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(1)
    dispatch = marketing.a_dispatch()
    claim = dispatch.claim(marketing.sender)
    assert claim is not None
    marketing.report(delivered(claim.submission.reference))
    assert marketing.task(task).delivered == 0
    dispatch.give_up_lost(own=True)
    marketing.receipts.apply()
    assert (marketing.task(task).delivered, marketing.task(task).unknown) == (1, 0)
    check_every_task(marketing.database)


class TestLongMessages:
    """Delivered when every segment is, failed by any."""

    @pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)], ids=["in order", "mixed"])
    @pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
    async def test_delivered_with_the_last_segment(
        self, marketing: Marketing, order: tuple[int, ...], at_once: bool
    ) -> None:
        task, reference = await a_sent_task(marketing, 1)
        parts = [delivered(reference, sequence=sequence, total=3) for sequence in order]
        if at_once:
            marketing.report(*parts)
        else:
            for part in parts:
                assert marketing.task(task).delivered == 0
                marketing.report(part)
        assert marketing.task(task).delivered == 1
        check_every_task(marketing.database)

    async def test_a_segment_reported_twice_is_one(self, marketing: Marketing) -> None:
        task, reference = await a_sent_task(marketing, 1)
        part = delivered(reference, sequence=1, total=2)
        marketing.report(part, replace(part, sms_id="another"), part)
        assert marketing.task(task).delivered == 0

    async def test_any_failed_segment_fails_it(self, marketing: Marketing) -> None:
        task, reference = await a_sent_task(marketing, 1)
        marketing.report(delivered(reference, sequence=1, total=3), failed(reference, sequence=2, total=3))
        marketing.report(delivered(reference, sequence=3, total=3), delivered(reference, sequence=2, total=3))
        now = marketing.task(task)
        assert (now.delivered, now.failed) == (0, 1)
        check_every_task(marketing.database)


class TestStrangers:
    """Kept, and never applied to a message that is not theirs."""

    @pytest.mark.parametrize(
        "stranger",
        [
            pytest.param(lambda reference: delivered("nobody-1"), id="unknown reference"),
            pytest.param(lambda reference: delivered(reference, NUMBER + 99), id="number not in the batch"),
            pytest.param(lambda reference: replace(delivered(reference), number=None), id="no number"),
        ],
    )
    async def test_unknown(self, marketing: Marketing, stranger: Callable[[str], Receipt]) -> None:
        task, reference = await a_sent_task(marketing)
        before = marketing.task(task)
        marketing.report(stranger(reference))
        assert marketing.receipts.apply() == 0
        assert marketing.task(task) == before

    async def test_another_applications_reference(self, marketing: Marketing) -> None:
        task, reference = await a_sent_task(marketing)
        other = Marketing(marketing.database, workspace_id="T0OTHER")
        other.report(delivered(reference))
        assert marketing.task(task).delivered == 0

    async def test_a_batch_that_waits_or_was_held_back(self, marketing: Marketing) -> None:
        """The carrier says it took nothing, and reports all the same."""
        task = marketing.a_confirmed_task(1)
        marketing.carrier.will(not_taken())
        dispatch = marketing.a_dispatch()
        claim = await marketing.send_next(dispatch)
        assert claim is not None
        marketing.report(delivered(claim.submission.reference))
        check_every_task(marketing.database)
        marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
        marketing.receipts.apply()
        now = marketing.task(task)
        assert (now.state, now.held_back, now.delivered) == (TaskState.STOPPED, 1, 0)
        check_every_task(marketing.database)


async def test_a_storm_is_applied_in_shares(marketing: Marketing) -> None:
    marketing = Marketing(marketing.database, workspace_id="T0STORM", carrier=FakeCarrier(max_numbers=10_000))
    task = marketing.a_confirmed_task(APPLIED_AT_ONCE + 300)
    await marketing.send_all()
    reference = {number: each.reference for each in marketing.carrier.requests for number in each.numbers}
    reports = [delivered(reference[number], number) for number in numbers(APPLIED_AT_ONCE + 300)]
    marketing.receipts.store([(marketing.application_id, each) for each in reports])
    assert [marketing.receipts.apply() for _ in range(3)] == [APPLIED_AT_ONCE, 300, 0]
    assert marketing.task(task).is_settled
    check_every_task(marketing.database)


@pytest.mark.parametrize(("seconds", "applied"), [(0.0, APPLIED_AT_ONCE + 300), (LONGEST_SECONDS, APPLIED_AT_ONCE)])
async def test_a_tick_keeps_up_as_long_as_it_may(marketing: Marketing, seconds: float, applied: int) -> None:
    marketing = Marketing(marketing.database, workspace_id="T0STORM", carrier=FakeCarrier(max_numbers=10_000))
    task = marketing.a_confirmed_task(APPLIED_AT_ONCE + 300)
    await marketing.send_all()
    reference = {number: each.reference for each in marketing.carrier.requests for number in each.numbers}
    reports = [delivered(reference[number], number) for number in numbers(APPLIED_AT_ONCE + 300)]
    marketing.receipts.store([(marketing.application_id, each) for each in reports])
    passing = itertools.count(step=seconds)
    receipts = Receipts(marketing.database, marketing.clock, monotonic=lambda: next(passing))
    assert receipts.keep_up() == applied
    assert marketing.task(task).delivered == applied


async def test_receipts_that_wait_among_others_are_left_and_found_later(marketing: Marketing) -> None:
    """Those of a request under way stand between those of one that is recorded, in short runs and long ones."""
    first, second = marketing.a_confirmed_task(200), marketing.a_confirmed_task(3, group="late", first=NUMBER + 1000)
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    claim = dispatch.claim(marketing.sender)
    assert claim is not None
    mixed = [delivered(marketing.carrier.requests[0].reference, number) for number in numbers(200)]
    for number, place in enumerate((0, 4, 100), start=NUMBER + 1000):
        mixed.insert(place, delivered(claim.submission.reference, number))
    marketing.report(*mixed)
    assert (marketing.task(first).delivered, marketing.task(second).delivered) == (200, 0)
    await dispatch.send_batch(claim, marketing.sender)
    assert marketing.receipts.apply() == 3
    assert marketing.receipts.apply() == 0
    check_every_task(marketing.database)


async def test_failed_numbers_are_listed_with_the_carriers_word(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(4)
    marketing.carrier.will(refuse(NUMBER, code="E200028"))
    await marketing.send_all()
    reference = marketing.carrier.requests[0].reference
    at = marketing.in_(timedelta(seconds=9))
    marketing.report(replace(failed(reference, NUMBER + 2), at=at), delivered(reference, NUMBER + 1))
    page = TaskMessages(marketing.database).page(task, MessagePlace(), 10)
    bad = [each for each in page.messages if each.fate in (Fate.REFUSED, Fate.FAILED)]
    assert [(each.number, each.fate, each.code, each.sms_id, each.at) for each in bad] == [
        (NUMBER, Fate.REFUSED, "E200028", None, marketing.clock.now()),
        (NUMBER + 2, Fate.FAILED, "UNDELIV", f"id-{NUMBER + 2}", at),
    ]


REPORTS = st.lists(
    st.builds(
        Receipt,
        status=st.sampled_from(["delivered", "delivered", "failed", "pending"]),
        code=st.just("X"),
        sms_id=st.sampled_from(["a", "b"]),
        reference=st.just(""),
        number=st.integers(NUMBER, NUMBER + 2),
        sequence=st.integers(1, 2),
        total=st.just(2),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reports=REPORTS, cuts=st.sets(st.integers(0, 12)))
async def test_what_a_message_becomes_follows_from_the_first_that_settles_it(
    database: Database, reports: list[Receipt], cuts: set[int]
) -> None:
    _made.append(None)
    marketing = Marketing(database, workspace_id=f"T{len(_made)}")
    task, reference = await a_sent_task(marketing)
    expected: dict[int, str] = {}
    parts: dict[int, set[int]] = {1: set(), 2: set(), 3: set()}
    tick: list[Receipt] = []
    for index, report in enumerate(reports):
        tick.append(replace(report, reference=reference))
        if index in cuts or index == len(reports) - 1:
            _expect(expected, parts, tick)
            marketing.report(*tick)
            tick = []
    assert results(database, task) == expected
    check_every_task(database)


def _expect(expected: dict[int, str], parts: dict[int, set[int]], tick: list[Receipt]) -> None:
    """Within one tick any failed segment outweighs the delivered ones."""
    for report in tick:
        seq = (report.number or 0) - NUMBER + 1
        if report.status == "failed":
            expected.setdefault(seq, "failed")
        elif report.status == "delivered":
            parts[seq].add(report.sequence)
    for seq, seen in parts.items():
        if len(seen) == 2:
            expected.setdefault(seq, "delivered")


_made: list[None] = []


async def test_a_receipt_of_a_task_that_was_taken_off_the_list_counts_all_the_same(marketing: Marketing) -> None:
    task, reference = await a_sent_task(marketing)
    gone = {"deleted_at": marketing.clock.now(), "deleted_by": ANA}
    with marketing.database.write() as tx:
        tx.execute(update(send_task).where(send_task.c.id == task.id).values(gone))
        tx.commit()
    marketing.report(delivered(reference), failed(reference, NUMBER + 1))
    assert results(marketing.database, task) == {1: "delivered", 2: "failed"}
    with marketing.database.read() as connection:
        counts = select(send_task.c.delivered, send_task.c.failed).where(send_task.c.id == task.id)
        assert tuple(connection.execute(counts).one()) == (1, 1)
