"""A task whose failures pile up pauses itself and asks."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from services.carriers.ports import Answer, Outcome, Submission
from services.database import Database
from services.errors import NotTaken, Unanswered
from services.models import post, send_task
from services.posts import PostKind
from services.states import PauseReason, TaskState
from services.task_reports import Task
from tests.services.audit import check_every_task
from tests.services.builders import ANA, FIRST_NUMBER, WORKSPACE, Marketing, numbers
from tests.services.fakes import Answering, accept, error_page, leave_out, refuse, refuse_all, refuse_whole, unanswered

# What the carrier says of numbers, not of the account.
WRONG_NUMBER = "E200025"


def pause(marketing: Marketing, task: Task) -> tuple[str, str | None, str | None]:
    """The state, and why."""
    with marketing.database.read(everyone=True) as connection:
        row = connection.execute(select(send_task).where(send_task.c.id == task.id)).one()
    return row.state, row.pause_reason, row.pause_code


def questions(database: Database) -> list[tuple[int, bool]]:
    """The posts that ask, and whether each is closed."""
    with database.read(everyone=True) as connection:
        asked = connection.execute(select(post).where(post.c.kind == PostKind.PAUSED.value)).all()
    return [(row.subject_id, row.closed) for row in asked]


def refuse_first(count: int) -> Answering:
    """The first so many numbers of the request are refused."""

    async def answer(request: Submission) -> Answer:
        return await refuse(*list(request.numbers)[:count], code=WRONG_NUMBER)(request)

    return answer


def refuse_last(count: int) -> Answering:
    """The last so many numbers of the request are refused."""

    async def answer(request: Submission) -> Answer:
        return await refuse(*list(request.numbers)[-count:], code=WRONG_NUMBER)(request)

    return answer


PAUSED, SENDING, FINISHED = TaskState.PAUSED, TaskState.SENDING, TaskState.FINISHED


@pytest.mark.parametrize(
    ("refused", "state"), [pytest.param(101, PAUSED, id="over half"), pytest.param(100, FINISHED, id="half")]
)
async def test_over_half_of_the_first_batch(
    marketing: Marketing, database: Database, refused: int, state: TaskState
) -> None:
    task = marketing.a_confirmed_task(700)
    marketing.carrier.will(refuse_first(refused))
    await marketing.send_all()
    now = marketing.task(task)
    assert (now.state, now.refused) == (state, refused)
    assert now.waiting == (500 if state is PAUSED else 0)
    assert len(questions(database)) == (state is PAUSED)
    check_every_task(database)


async def test_it_says_why_and_asks_in_the_channel(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(700)
    marketing.carrier.will(refuse_all)
    await marketing.send_all()
    assert pause(marketing, task) == ("paused", PauseReason.REFUSALS, "E200028")
    assert questions(database) == [(task.id, False)]
    assert {each.kind for each in marketing.posts.due()} >= {PostKind.PAUSED}
    assert marketing.task(task).version > task.version


async def test_nothing_is_left_to_hold_back_so_it_ends(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(200)
    marketing.carrier.will(refuse_all)
    await marketing.send_all()
    assert marketing.task(task).state is FINISHED
    assert questions(database) == []


def in_parts(taken: int, refused: int) -> Answering:
    """The carrier answers for the first so many of the request, and refuses so many of them; the rest goes back."""

    async def answer(request: Submission) -> Answer:
        numbers = list(request.numbers)
        whole = await refuse(*numbers[:refused], code=WRONG_NUMBER)(request)
        said = {number: whole.outcomes[number] for number in numbers[:taken]}
        return Answer(said, dict.fromkeys(numbers[taken:], NotTaken("out_of_time", "later", retry_after_seconds=0.0)))

    return answer


PARTS: list[Any] = [
    pytest.param([in_parts(120, 101), accept], 101, PAUSED, id="over half, in its first part"),
    pytest.param([in_parts(120, 60), refuse_first(41)], 101, PAUSED, id="over half, in both together"),
    pytest.param([in_parts(120, 60), in_parts(40, 40), refuse_first(1)], 101, PAUSED, id="over half, in three parts"),
    pytest.param([in_parts(120, 100), accept], 100, FINISHED, id="half"),
    pytest.param([in_parts(160, 60), refuse_first(40)], 100, FINISHED, id="half, though all of its last part"),
]


@pytest.mark.parametrize(("answers", "refused", "state"), PARTS)
async def test_a_first_batch_that_is_taken_in_parts_counts_as_a_whole(
    marketing: Marketing, database: Database, answers: list[Answering], refused: int, state: TaskState
) -> None:
    task = marketing.a_confirmed_task(700)
    marketing.carrier.will(*answers)
    await marketing.send_all()
    now = marketing.task(task)
    assert (now.state, now.refused) == (state, refused)
    assert pause(marketing, task)[2] == (WRONG_NUMBER if state is PAUSED else None)
    assert len(questions(database)) == (state is PAUSED)
    check_every_task(database)


async def test_what_was_asked_about_halfway_through_the_first_batch_does_not_count_again(
    marketing: Marketing, database: Database
) -> None:
    async def answer(request: Submission) -> Answer:
        taken = await in_parts(110, 0)(request)
        return Answer(dict.fromkeys(taken.outcomes, Outcome(False, "E000112")), taken.not_taken)

    task = marketing.a_confirmed_task(700)
    marketing.carrier.will(answer)
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    assert pause(marketing, task) == ("paused", PauseReason.ACCOUNT, "E000112")
    marketing.tasks.resume(WORKSPACE, task.number, ANA)
    await marketing.send_all(dispatch)
    assert marketing.task(task).state is FINISHED
    check_every_task(database)


RUNS: list[Any] = [
    pytest.param([accept, refuse_first(500), refuse_first(1)], PAUSED, id="501 of 1000 at the start of batches"),
    pytest.param([accept, refuse_last(250), accept, refuse_first(250)], SENDING, id="500 of 1000"),
    pytest.param([accept, refuse_last(250), refuse_first(10), refuse_first(250)], PAUSED, id="510 over three batches"),
    pytest.param([accept, refuse_first(400), accept, refuse_last(400)], SENDING, id="800 too far apart"),
    pytest.param([refuse_first(100), refuse_first(401)], PAUSED, id="the first batch counts too"),
    pytest.param([accept, *[refuse_first(249)] * 4], SENDING, id="nearly half all the time"),
    pytest.param([accept, unanswered, unanswered, unanswered], SENDING, id="unknown is not refused"),
]


@pytest.mark.parametrize(("answers", "state"), RUNS)
async def test_over_half_of_any_thousand_in_a_row(
    marketing: Marketing, database: Database, answers: list[Answering], state: TaskState
) -> None:
    task = marketing.a_confirmed_task(5000)
    marketing.carrier.will(*answers)
    dispatch = marketing.a_dispatch()
    for _ in answers:
        await marketing.send_next(dispatch)
    assert marketing.task(task).state is state
    assert (await marketing.send_next(dispatch) is None) == (state is PAUSED)
    check_every_task(database)


async def test_a_run_is_found_in_whatever_order_its_batches_are_answered(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(5000)
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    claims = [dispatch.claim(marketing.sender) for _ in range(3)]
    for which, answer in ((0, refuse_last(250)), (2, refuse_first(250)), (1, refuse_first(10))):
        claim = claims[which]
        assert claim is not None
        assert marketing.task(task).state is SENDING
        marketing.carrier.will(answer)
        await dispatch.send_batch(claim, marketing.sender)
    assert marketing.task(task).state is PAUSED


async def some_refused(request: Submission) -> Answer:
    """Each tenth number has no channel: a word about the account, but not about all of it."""
    return await refuse(*list(request.numbers)[::10], code="E200026")(request)


async def funds_run_out(request: Submission) -> Answer:
    """In the middle of the request."""
    taken = await accept(request)
    rest = list(request.numbers)[100:]
    return Answer({**taken.outcomes, **dict.fromkeys(rest, Outcome(False, "E000112"))})


def some_error_pages(count: int) -> Answering:
    """Each number has a request of its own, and the answers to so many of them are error pages."""

    async def answer(request: Submission) -> Answer:
        unread = dict.fromkeys(request.numbers[:count], Unanswered("http_403", "the answer cannot be read"))
        taken = await leave_out(*unread)(request)
        return replace(taken, unanswered=unread)

    return answer


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(refuse_whole("E000112"), "E000112", id="frozen"),
        pytest.param(refuse_whole("E000623"), "E000623", id="its limit is used up"),
        pytest.param(funds_run_out, "E000112", id="in the middle of a request"),
        pytest.param(refuse_whole("TOO_LATE"), "TOO_LATE", id="not at this hour"),
        pytest.param(error_page, "http_403", id="an error page"),
        pytest.param(some_error_pages(300), "http_403", id="error pages for most"),
        pytest.param(some_error_pages(200), None, id="some error pages"),
        pytest.param(unanswered, None, id="no answer at all"),
        pytest.param(refuse_whole("E200028"), None, id="the text is wrong"),
        pytest.param(some_refused, None, id="some numbers"),
    ],
)
async def test_what_the_carrier_would_say_of_every_number(
    marketing: Marketing, database: Database, answer: Answering, code: str | None
) -> None:
    task = marketing.a_confirmed_task(3000)
    marketing.carrier.will(accept, answer)
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    await marketing.send_next(dispatch)
    expected = ("sending", None, None) if code is None else ("paused", PauseReason.ACCOUNT, code)
    assert pause(marketing, task) == expected
    assert len(questions(database)) == (code is not None)
    check_every_task(database)


async def test_what_is_under_way_is_still_recorded(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(3000)
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    one, other = (dispatch.claim(marketing.sender) for _ in range(2))
    assert one is not None
    assert other is not None
    marketing.carrier.will(refuse_whole("E000112"), accept)
    await dispatch.send_batch(one, marketing.sender)
    await dispatch.send_batch(other, marketing.sender)
    now = marketing.task(task)
    assert (now.state, now.refused, now.accepted, now.waiting) == (PAUSED, 500, 700, 1800)
    assert dispatch.claim(marketing.sender) is None
    check_every_task(database)


async def test_paused_while_its_last_requests_are_under_way_it_still_ends(
    marketing: Marketing, database: Database
) -> None:
    task = marketing.a_confirmed_task(700)
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    claim = dispatch.claim(marketing.sender)
    assert claim is not None
    with database.write(everyone=True) as tx:
        tx.execute(send_task.update().values(state=PAUSED.value, pause_reason=PauseReason.PERSON.value))
        tx.commit()
    await dispatch.send_batch(claim, marketing.sender)
    assert marketing.task(task).state is FINISHED
    check_every_task(database)


async def test_what_was_asked_about_does_not_count_again(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(5000)
    dispatch = marketing.a_dispatch()
    marketing.carrier.will(accept, refuse_all, refuse_first(1))
    for _ in range(3):
        await marketing.send_next(dispatch)
    assert marketing.task(task).state is PAUSED
    marketing.tasks.resume(WORKSPACE, task.number, ANA)
    marketing.carrier.will(refuse_first(10), accept, refuse_all, refuse_all)
    for _ in range(3):
        await marketing.send_next(dispatch)
        assert marketing.task(task).state is SENDING
    await marketing.send_next(dispatch)
    assert marketing.task(task).state is PAUSED
    assert len(questions(database)) == 1, "the same post asks again"


async def test_the_question_is_asked_anew_so_that_somebody_sees_it(marketing: Marketing, database: Database) -> None:
    task = marketing.a_confirmed_task(5000)
    dispatch = marketing.a_dispatch()
    marketing.carrier.will(refuse_all)
    await marketing.send_next(dispatch)
    (due,) = [each for each in marketing.posts.due() if each.kind is PostKind.PAUSED]
    marketing.tasks.resume(WORKSPACE, task.number, ANA)
    marketing.posts.shown(due.id, "171.01", marketing.task(task).version, closed=True)
    assert questions(database) == [(task.id, True)]
    marketing.carrier.will(refuse_whole("E000112"))
    await marketing.send_next(dispatch)
    assert questions(database) == [(task.id, False)]
    (again,) = [each for each in marketing.posts.due() if each.kind is PostKind.PAUSED]
    assert (again.id, again.ts) == (due.id, None)


async def test_a_stopped_task_does_not_pause(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(700)
    dispatch = marketing.a_dispatch()
    claim = dispatch.claim(marketing.sender)
    assert claim is not None
    marketing.tasks.stop(WORKSPACE, task.number, ANA)
    marketing.carrier.will(refuse_all)
    await dispatch.send_batch(claim, marketing.sender)
    assert marketing.task(task).state is TaskState.STOPPED
    assert marketing.carrier.numbers == numbers(200, FIRST_NUMBER)
