"""A restored copy never fires by surprise: what may have left since is unknown, and what cannot have is asked about."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from services.carriers.ports import Answer, Submission
from services.database import Database
from services.errors import NotAllowed, NotTaken
from services.models import batch, send_task
from services.posts import PostKind
from services.restores import SKIPPED_IDS, SKIPPED_TASK_NUMBERS, Restores, TakenOver
from services.states import PauseReason, TaskState
from services.task_reports import Task
from tests.services.audit import check_every_task
from tests.services.builders import ANA, BEN, Marketing, numbers
from tests.services.fakes import accepted

HOUR = timedelta(hours=1)


def take_over(marketing: Marketing, ran_until: timedelta = timedelta(0)) -> TakenOver:
    """As of now, or of so long ago."""
    made = Restores(marketing.database, marketing.clock)
    done = made.take_over(marketing.clock.now() - ran_until)
    check_every_task(marketing.database)
    return done


async def nothing_leaves(marketing: Marketing) -> None:
    before = len(marketing.carrier.requests)
    marketing.tasks.start_due()
    await marketing.send_all()
    assert len(marketing.carrier.requests) == before


async def a_task_half_sent(marketing: Marketing) -> Task:
    task = marketing.a_confirmed_task(700)
    await marketing.send_next(marketing.a_dispatch())
    return task


async def test_what_a_task_had_not_sent_is_unknown_and_sent_by_nobody(marketing: Marketing) -> None:
    task = await a_task_half_sent(marketing)
    assert take_over(marketing) == TakenOver(1, 500, 0, 0)
    now = marketing.task(task)
    assert (now.state, now.pause_reason) == (TaskState.FINISHED, PauseReason.RESTORED)
    assert (now.handed_over, now.accepted, now.unknown, now.waiting) == (700, 200, 700, 0)
    await nothing_leaves(marketing)
    marketing.clock.move(HOUR)
    marketing.posts.want_results()
    assert {post.kind for post in marketing.posts.due()} == {PostKind.TASK, PostKind.RESULT}


async def test_a_batch_taken_in_part_keeps_what_is_known(marketing: Marketing) -> None:
    async def take_half(request: Submission) -> Answer:
        taken, left = request.numbers[:50], request.numbers[50:]
        put_off = NotTaken("http_429", "slow down")
        return Answer({number: accepted(number) for number in taken}, dict.fromkeys(left, put_off))

    task = marketing.a_confirmed_task(100)
    marketing.carrier.will(take_half)
    await marketing.send_next(marketing.a_dispatch())
    assert marketing.task(task).waiting == 50
    assert take_over(marketing).unknown_messages == 50
    now = marketing.task(task)
    assert (now.accepted, now.handed_over, now.state) == (50, 100, TaskState.FINISHED)


async def test_a_request_under_way_at_the_copy_is_unknown_too(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(300)
    assert marketing.a_dispatch().claim(marketing.sender) is not None
    assert take_over(marketing) == TakenOver(1, 300, 0, 0)
    assert marketing.task(task).unknown == 300


@pytest.mark.parametrize("paused", [False, True], ids=["scheduled", "late and asked about"])
async def test_what_was_due_since_the_copy_may_have_been_sent(marketing: Marketing, *, paused: bool) -> None:
    task = marketing.a_confirmed_task(300, at=marketing.in_(HOUR))
    marketing.clock.move(2 * HOUR)
    if paused:
        marketing.tasks.start_due()
        assert marketing.task(task).state is TaskState.PAUSED
    assert take_over(marketing) == TakenOver(1, 300, 0, 0)
    await nothing_leaves(marketing)
    assert marketing.task(task).state is TaskState.FINISHED
    with pytest.raises(NotAllowed):
        marketing.tasks.resume(marketing.workspace_id, task.number, BEN)


async def test_what_was_due_after_the_old_one_had_ended_is_asked_about(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(300, at=marketing.in_(HOUR))
    marketing.clock.move(2 * HOUR)
    assert take_over(marketing, ran_until=timedelta(minutes=90)) == TakenOver(0, 0, 1, 0)
    await nothing_leaves(marketing)
    marketing.tasks.resume(marketing.workspace_id, task.number, BEN)
    await marketing.send_all()
    assert marketing.task(task).accepted == 300


async def test_what_is_due_later_waits_for_a_yes_and_then_for_its_time(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(300, at=marketing.in_(HOUR))
    assert take_over(marketing) == TakenOver(0, 0, 1, 0)
    paused = marketing.task(task)
    assert (paused.state, paused.pause_reason) == (TaskState.PAUSED, PauseReason.RESTORED)
    assert PostKind.LATE in {post.kind for post in marketing.posts.due()}
    marketing.tasks.resume(marketing.workspace_id, task.number, BEN)
    now = marketing.task(task)
    assert (now.state, now.confirmed_by, now.resumed_by) == (TaskState.SCHEDULED, ANA, BEN)
    await nothing_leaves(marketing)
    marketing.clock.move(HOUR)
    marketing.tasks.start_due()
    await marketing.send_all()
    assert marketing.task(task).accepted == 300


async def test_what_nobody_says_yes_to_is_not_sent_when_its_time_comes(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(300, at=marketing.in_(HOUR))
    take_over(marketing)
    marketing.clock.move(HOUR)
    await nothing_leaves(marketing)
    marketing.clock.move(25 * HOUR)
    await nothing_leaves(marketing)
    assert marketing.task(task).state is TaskState.EXPIRED
    other = marketing.a_confirmed_task(3, group="other", at=marketing.in_(HOUR))
    take_over(marketing)
    assert marketing.tasks.stop(marketing.workspace_id, other.number, ANA).held_back == 3


def test_a_preview_may_have_been_confirmed_since_and_is_forgotten(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(3))
    draft = marketing.a_draft()
    assert take_over(marketing) == TakenOver(0, 0, 0, 1)
    with pytest.raises(NotAllowed) as refused:
        marketing.confirmations.confirm(marketing.workspace_id, draft.draft_id, ANA)
    assert refused.value.rule == "draft_gone"


def test_numbers_that_were_given_since_are_not_given_again(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(3)
    take_over(marketing)
    other = marketing.a_confirmed_task(3, group="other")
    assert other.number == task.number + SKIPPED_TASK_NUMBERS + 1
    assert other.id > task.id + SKIPPED_IDS
    assert marketing.a_group("third").id > SKIPPED_IDS


async def test_doing_it_again_changes_nothing_more(marketing: Marketing) -> None:
    await a_task_half_sent(marketing)
    marketing.a_confirmed_task(300, group="later", at=marketing.in_(HOUR))
    assert take_over(marketing) == TakenOver(1, 500, 1, 0)
    assert take_over(marketing) == TakenOver(0, 0, 0, 0)


async def test_what_is_over_stays_as_it_is(marketing: Marketing) -> None:
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    stopped = marketing.a_confirmed_task(3, group="stopped")
    marketing.tasks.stop(marketing.workspace_id, stopped.number, ANA)
    with marketing.database.read() as connection:
        before = (connection.execute(select(send_task)).all(), connection.execute(select(batch)).all())
    assert take_over(marketing) == TakenOver(0, 0, 0, 0)
    with marketing.database.read() as connection:
        assert before == (connection.execute(select(send_task)).all(), connection.execute(select(batch)).all())


def test_a_key_of_a_deleted_row_is_not_given_again(database: Database) -> None:
    marketing = Marketing(database)
    marketing.a_group("vip", numbers(3))
    first = marketing.a_draft().draft_id
    marketing.clock.move(timedelta(days=3))
    assert marketing.tasks.forget_drafts() == 1
    assert marketing.a_draft().draft_id > first
