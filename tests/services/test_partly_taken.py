"""A batch of which the carrier took a part: the rest goes back, and nothing goes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.carriers.ports import Answer, Outcome, Receipt, Submission
from services.database import Database
from services.errors import NotTaken
from services.models import batch, submission
from services.pool import Fate, Pool
from services.states import TaskState
from services.task_reports import Task
from tests.services.audit import check_every_task, check_nobody_got_two
from tests.services.builders import FIRST_NUMBER, WORKSPACE, Marketing
from tests.services.conftest import empty
from tests.services.fakes import Answering, FakeCarrier, accepted, leave_out, not_taken

FIRST, SECOND, THIRD = FIRST_NUMBER, FIRST_NUMBER + 1, FIRST_NUMBER + 2
SLOW = "E200015"


def take(
    *taken: int, refused: tuple[int, ...] = (), unknown: tuple[int, ...] = (), seconds: float | None = None
) -> Answering:
    """These numbers are settled as said; of the others the carrier says that it did not take them."""

    async def answer(request: Submission) -> Answer:
        outcomes = {number: accepted(number) for number in taken if number in request.numbers}
        outcomes |= {number: Outcome(False, "E200025") for number in refused if number in request.numbers}
        left = {number for number in request.numbers if number not in outcomes and number not in unknown}
        return Answer(outcomes, {number: NotTaken(SLOW, "slow down", seconds) for number in left})

    return answer


def a_receipt(number: int, reference: str | None, sms_id: str | None = None) -> Receipt:
    return Receipt("delivered", "DELIVRD", sms_id or f"id-{number}", reference=reference, number=number)


@pytest.fixture
async def task(marketing: Marketing, database: Database) -> AsyncIterator[Task]:
    """Three messages in one batch, of which the first was taken."""
    task = marketing.a_confirmed_task(3)
    marketing.carrier.will(take(FIRST))
    await marketing.send_next(marketing.a_dispatch())
    yield task
    check_every_task(database)


def later(marketing: Marketing, seconds: float = 60) -> None:
    marketing.clock.move(timedelta(seconds=seconds))


async def test_what_was_not_taken_waits_and_is_no_part_of_what_is_unknown(marketing: Marketing, task: Task) -> None:
    found = marketing.task(task)
    assert (found.waiting, found.handed_over, found.accepted, found.unknown) == (2, 1, 1, 1)
    assert (found.state, found.trouble) == (TaskState.SENDING, SLOW)


async def test_the_rest_is_sent_after_its_delay_and_alone(marketing: Marketing, task: Task) -> None:
    dispatch = marketing.a_dispatch()
    assert await marketing.send_next(dispatch) is None
    later(marketing, 1)
    await marketing.send_all(dispatch)
    assert [request.numbers for request in marketing.carrier.requests] == [[FIRST, SECOND, THIRD], [SECOND, THIRD]]
    found = marketing.task(task)
    assert (found.state, found.accepted, found.waiting, found.trouble) == (TaskState.FINISHED, 3, 0, None)


@pytest.mark.parametrize(
    ("attempts", "seconds", "wait"), [(1, None, 1), (2, None, 2), (1, 30.0, 30), (1, 0.0, 0)], ids=str
)
async def test_the_rest_waits_as_long_as_asked_or_longer_each_time(
    marketing: Marketing, attempts: int, seconds: float | None, wait: int
) -> None:
    marketing.a_confirmed_task(3)
    for _ in range(attempts):
        marketing.carrier.will(take(seconds=seconds))
        await marketing.send_next(marketing.a_dispatch())
        began = marketing.clock.now()
        with marketing.database.read(everyone=True) as connection:
            assert connection.execute(select(batch.c.not_before)).scalar_one() is not None
        later(marketing)
    with marketing.database.read(everyone=True) as connection:
        assert connection.execute(select(batch.c.not_before)).scalar_one() == began + timedelta(seconds=wait)


async def test_as_long_as_some_are_taken_the_rest_waits_no_longer_each_time(marketing: Marketing) -> None:
    marketing.a_confirmed_task(3)
    for number in (FIRST, SECOND):
        marketing.carrier.will(take(number))
        await marketing.send_next(marketing.a_dispatch())
        with marketing.database.read(everyone=True) as connection:
            not_before = connection.execute(select(batch.c.not_before)).scalar_one()
        assert not_before == marketing.clock.now() + timedelta(seconds=1)
        later(marketing)


async def test_a_batch_whose_time_was_over_is_in_no_trouble(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(3)
    marketing.carrier.will(take(FIRST, seconds=0.0))
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    assert marketing.task(task).trouble is None
    await marketing.send_all(dispatch)
    assert marketing.task(task).state is TaskState.FINISHED


async def test_what_nobody_knows_is_not_sent_with_the_rest(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(4)
    marketing.carrier.will(take(FIRST, refused=(SECOND,), unknown=(THIRD,)))
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    check_every_task(database)
    later(marketing)
    await marketing.send_all(dispatch)
    assert [request.numbers for request in marketing.carrier.requests[1:]] == [[FIRST_NUMBER + 3]]
    found = marketing.task(task)
    assert (found.state, found.accepted, found.refused, found.unknown) == (TaskState.FINISHED, 2, 1, 3)
    (message,) = Pool(database).find(WORKSPACE, THIRD).messages
    assert (message.fate, message.code) == (Fate.UNKNOWN, "unanswered")
    check_every_task(database)


async def test_a_receipt_settles_what_nobody_knew(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(3)
    marketing.carrier.will(take(FIRST, unknown=(SECOND,)))
    dispatch = marketing.a_dispatch()
    claim = await marketing.send_next(dispatch)
    assert claim is not None
    marketing.report(a_receipt(SECOND, claim.submission.reference))
    assert marketing.task(task).delivered == 1
    later(marketing)
    await marketing.send_all(dispatch)
    assert marketing.task(task).delivered == 1
    check_every_task(database)


async def test_a_receipt_of_the_part_taken_does_not_wait_for_the_rest(marketing: Marketing, task: Task) -> None:
    reference = marketing.carrier.requests[0].reference
    marketing.report(a_receipt(FIRST, reference), a_receipt(SECOND, reference))
    found = marketing.task(task)
    assert (found.delivered, found.unknown, found.waiting) == (1, 0, 2), "the second is not handed over yet"
    later(marketing)
    await marketing.send_all()
    marketing.receipts.apply()
    assert marketing.task(task).delivered == 2


async def test_stopped_the_rest_is_held_back_and_the_part_taken_still_reported(
    marketing: Marketing, task: Task
) -> None:
    stopped = marketing.tasks.stop(WORKSPACE, task.number, "U0BEN")
    assert (stopped.handed_over, stopped.held_back, stopped.in_flight) == (1, 2, 0)
    reference = marketing.carrier.requests[0].reference
    marketing.report(a_receipt(FIRST, reference), a_receipt(SECOND, reference))
    found = marketing.task(task)
    assert (found.delivered, found.held_back, found.unknown) == (1, 2, 0)


async def test_stopped_while_the_carrier_answers_the_rest_is_held_back(
    marketing: Marketing, database: Database
) -> None:
    task = marketing.a_confirmed_task(3)
    dispatch = marketing.a_dispatch()
    claim = dispatch.claim(marketing.sender)
    assert claim is not None
    stopped = marketing.tasks.stop(WORKSPACE, task.number, "U0BEN")
    assert (stopped.held_back, stopped.in_flight) == (0, 3)
    marketing.carrier.will(take(FIRST))
    await dispatch.send_batch(claim, marketing.sender)
    found = marketing.task(task)
    assert (found.state, found.accepted, found.held_back, found.waiting) == (TaskState.STOPPED, 1, 2, 0)
    assert found.finished_at is not None
    check_every_task(database)


async def test_stopped_while_the_rest_is_under_way_only_the_rest_is_counted(marketing: Marketing, task: Task) -> None:
    later(marketing)
    claim = marketing.a_dispatch().claim(marketing.sender)
    assert claim is not None
    assert claim.size == 2
    stopped = marketing.tasks.stop(WORKSPACE, task.number, "U0BEN")
    assert (stopped.handed_over, stopped.held_back, stopped.in_flight) == (1, 0, 2)


async def test_a_worker_that_dies_with_the_rest_leaves_only_the_rest_unknown(marketing: Marketing, task: Task) -> None:
    later(marketing)
    assert marketing.a_dispatch().claim(marketing.sender) is not None
    assert marketing.a_dispatch().give_up_lost(own=True) == 1
    found = marketing.task(task)
    assert (found.state, found.handed_over, found.accepted, found.unknown) == (TaskState.FINISHED, 3, 1, 3)


async def test_a_late_owners_rest_stays_unknown(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(3)
    dispatch = marketing.a_dispatch()
    claim = dispatch.claim(marketing.sender)
    assert claim is not None
    marketing.clock.move(timedelta(minutes=5))
    assert marketing.a_dispatch(owner="another").give_up_lost() == 1
    answer = await take(FIRST)(claim.submission)
    dispatch.record(claim, answer.outcomes)
    assert dispatch.claim(marketing.sender) is None
    found = marketing.task(task)
    assert (found.accepted, found.unknown, found.waiting) == (1, 3, 0)
    with database.read(everyone=True) as connection:
        assert connection.execute(select(submission.c.outcome)).scalars().all() == ["accepted"]
    check_every_task(database)


async def test_a_large_tasks_first_batch_goes_on_alone_until_all_of_it_is_taken(marketing: Marketing) -> None:
    marketing.a_confirmed_task(700)
    marketing.carrier.will(take(FIRST))
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    assert dispatch.claim(marketing.sender) is None
    later(marketing)
    claim = dispatch.claim(marketing.sender)
    assert claim is not None
    assert (claim.no, claim.size) == (1, 199)


async def test_recording_twice_counts_once(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(3)
    dispatch = marketing.a_dispatch()
    claim = dispatch.claim(marketing.sender)
    assert claim is not None
    answer = await take(FIRST)(claim.submission)
    rest = dispatch._put_off(claim, marketing.sender, answer)
    dispatch.record(claim, answer.outcomes, rest)
    dispatch.record(claim, answer.outcomes, rest)
    found = marketing.task(task)
    assert (found.handed_over, found.accepted, found.waiting) == (1, 1, 2)
    check_every_task(database)


ANSWERS = st.sampled_from(["take", "refuse", "unknown", "not taken"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(ANSWERS, min_size=8, max_size=8), max_size=5), st.booleans())
async def test_whatever_is_answered_nobody_gets_two_and_everybody_is_counted(
    sqlite: Database, rounds: list[list[str]], stopped: bool
) -> None:
    empty(sqlite)
    marketing = Marketing(sqlite)
    task = marketing.a_confirmed_task(8)
    dispatch = marketing.a_dispatch()
    settled: set[int] = set()
    for each in rounds:
        said = {FIRST_NUMBER + place: word for place, word in enumerate(each)}
        chosen = {word: tuple(n for n, w in said.items() if w == word) for word in ("take", "refuse", "unknown")}
        marketing.carrier.will(take(*chosen["take"], refused=chosen["refuse"], unknown=chosen["unknown"]))
        claim = await marketing.send_next(dispatch)
        if claim is not None:
            assert settled.isdisjoint(claim.submission.numbers)
            settled.update(n for n in claim.submission.numbers if said[n] != "not taken")
        check_every_task(sqlite)
        later(marketing, 120)
    marketing.carrier.will()
    if stopped and marketing.task(task).state is TaskState.SENDING:
        marketing.tasks.stop(WORKSPACE, task.number, "U0BEN")
    await marketing.send_all(dispatch)
    check_every_task(sqlite)
    assert marketing.task(task).waiting == 0


async def test_other_answers_are_as_they_were(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(3)
    marketing.carrier.will(not_taken(), leave_out(SECOND))
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    assert marketing.task(task).waiting == 3
    later(marketing)
    await marketing.send_all(dispatch)
    found = marketing.task(task)
    assert (found.accepted, found.unknown) == (2, 3)
    check_nobody_got_two(marketing.carrier.requests)
    check_every_task(database)


@pytest.fixture
def silent(database: Database) -> Marketing:
    """At a carrier that echoes no reference."""
    return Marketing(database, carrier=FakeCarrier(echoes_reference=False))


async def test_without_a_reference_a_receipt_finds_its_message_by_id_and_number(silent: Marketing) -> None:
    task = silent.a_confirmed_task(3)
    await silent.send_all()
    silent.report(
        a_receipt(FIRST, None),
        a_receipt(SECOND, None, "id-of-another"),
        a_receipt(FIRST_NUMBER + 77, None, f"id-{THIRD}"),
    )
    assert silent.task(task).delivered == 1


async def test_a_number_with_several_messages_gets_the_receipt_of_each(silent: Marketing) -> None:
    tasks = []
    for name in ("one", "two"):
        tasks.append(silent.a_confirmed_task(1, group=name))
        silent.carrier.will(take_as(f"sid-{name}"))
        await silent.send_all()
    silent.report(a_receipt(FIRST, None, "sid-two"))
    assert [silent.task(task).delivered for task in tasks] == [0, 1]


def take_as(sms_id: str) -> Answering:
    async def answer(request: Submission) -> Answer:
        return Answer({number: Outcome(True, "Ok", sms_id, 1) for number in request.numbers})

    return answer


async def test_a_receipt_without_a_reference_may_overtake_its_own_send(silent: Marketing) -> None:
    task = silent.a_confirmed_task(1)
    silent.report(a_receipt(FIRST, None))
    assert silent.task(task).delivered == 0
    await silent.send_all()
    assert silent.receipts.apply() == 1
    assert silent.task(task).delivered == 1


async def test_a_strangers_receipt_is_looked_at_for_two_minutes_and_then_put_away(silent: Marketing) -> None:
    silent.a_confirmed_task(1)
    silent.report(a_receipt(FIRST, None, "a stranger's"))
    assert silent.receipts.apply() == 0
    later(silent, 121)
    assert silent.receipts.apply() == 1
    assert silent.receipts.apply() == 0


async def test_another_applications_id_is_not_ours(silent: Marketing, database: Database) -> None:
    other = Marketing(database, workspace_id="T0OTHER", clock=silent.clock, carrier=silent.carrier)
    task = silent.a_confirmed_task(1)
    await silent.send_all()
    other.report(a_receipt(FIRST, None))
    assert silent.task(task).delivered == 0
