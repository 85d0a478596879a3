"""What a channel sees of a task through its life, and when a post is its last word."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from handlers.imports import Importing
from handlers.posts import Message, compose
from handlers.tasks import Tasks
from sandbox.slack.blocks import strings
from services.carriers.ports import Receipt
from services.models import send_task
from services.posts import Post, PostKind
from services.states import PauseReason, TaskState
from services.task_changes import Edit
from services.task_reports import Task
from tests.services.builders import ANA, BEN, FIRST_NUMBER, Marketing
from tests.services.fakes import refuse

HOUR = timedelta(hours=1)


class Channel:
    """What it would see now."""

    def __init__(self, importing: Importing, tasks: Tasks, marketing: Marketing) -> None:
        self._importing, self._tasks, self._marketing = importing, tasks, marketing

    def sees(self, kind: PostKind, task: Task) -> Message:
        post = Post(1, self._marketing.workspace_id, task.channel, kind, task.id, None, None, 0)
        message = compose(post, self._importing, self._tasks)
        assert isinstance(message, Message)
        return message


@pytest.fixture
def channel(importing: Importing, tasks: Tasks, marketing: Marketing) -> Channel:
    return Channel(importing, tasks, marketing)


def shown(message: Message) -> str:
    return "\n".join(strings(message.blocks))


async def test_while_it_runs_the_counts_are_live(marketing: Marketing, channel: Channel) -> None:
    task = marketing.a_confirmed_task(700)
    marketing.carrier.will(refuse(FIRST_NUMBER))
    await marketing.send_next(marketing.a_dispatch())
    reference = marketing.carrier.requests[0].reference
    marketing.report(Receipt("delivered", "DELIVRD", "id", reference, FIRST_NUMBER + 1))
    message = channel.sees(PostKind.TASK, task)
    assert "200 of 700 customers handed over" in shown(message)
    assert "So far 1 delivered, 1 failed" in shown(message)
    assert {"Pause", "Stop"} <= {*shown(message).splitlines()}
    assert not message.is_last


def test_a_pause_says_who_and_offers_to_go_on(marketing: Marketing, channel: Channel) -> None:
    task = marketing.a_confirmed_task(3)
    marketing.tasks.pause(marketing.workspace_id, task.number, BEN)
    message = channel.sees(PostKind.TASK, task)
    assert f"Paused by <@{BEN}>." in shown(message)
    assert {"Go on", "Stop"} <= {*shown(message).splitlines()}
    marketing.tasks.resume(marketing.workspace_id, task.number, ANA)
    assert "Paused" not in shown(channel.sees(PostKind.TASK, task))


@pytest.mark.parametrize(
    ("reason", "pause_code", "says"),
    [
        (PauseReason.REFUSALS, "E200028", "The carrier refuses too many of its messages: "),
        (PauseReason.ACCOUNT, "E000112", "The carrier would refuse the rest too: the account is frozen"),
        (PauseReason.ACCOUNT, "http_404", "so the messages of that request are unknown."),
    ],
)
def test_a_task_that_paused_itself_says_why_until_somebody_decides(
    reason: PauseReason, pause_code: str, says: str, marketing: Marketing, channel: Channel
) -> None:
    task = marketing.a_confirmed_task(3)
    with marketing.database.write(everyone=True) as tx:
        paused = {"state": TaskState.PAUSED.value, "pause_reason": reason.value, "pause_code": pause_code}
        tx.execute(update(send_task).where(send_task.c.id == task.id).values(**paused))
        tx.commit()
    message = channel.sees(PostKind.PAUSED, task)
    assert says in shown(message)
    assert f"`{pause_code}`" in shown(message)
    assert {"Go on", "Stop"} <= {*shown(message).splitlines()}
    assert not message.is_last
    marketing.tasks.resume(marketing.workspace_id, task.number, BEN)
    decided = channel.sees(PostKind.PAUSED, task)
    assert f"<@{BEN}> decided to go on." in shown(decided)
    assert decided.is_last


def test_a_late_one_that_nobody_decided_on_is_said_to_be_expired(marketing: Marketing, channel: Channel) -> None:
    task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
    marketing.clock.move(2 * HOUR)
    marketing.tasks.start_due()
    question = channel.sees(PostKind.LATE, task)
    assert {"Send to 3 customers now", "Don't send"} <= {*shown(question).splitlines()}
    assert not question.is_last
    marketing.clock.move(24 * HOUR)
    marketing.tasks.start_due()
    answer = channel.sees(PostKind.LATE, task)
    assert "Nobody decided within 24 hours" in shown(answer)
    assert answer.is_last


def test_one_too_late_to_ask_about_is_said_to_be_expired(marketing: Marketing, channel: Channel) -> None:
    task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
    marketing.clock.move(26 * HOUR)
    marketing.tasks.start_due()
    assert [post.kind for post in marketing.posts.due()] == [PostKind.TASK, PostKind.LATE]
    told = channel.sees(PostKind.LATE, task)
    assert "it is expired, and none of its 3 messages was sent" in shown(told)
    assert told.is_last


def test_a_late_one_that_was_sent_is_over_even_when_it_is_paused_later(marketing: Marketing, channel: Channel) -> None:
    task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
    marketing.clock.move(2 * HOUR)
    marketing.tasks.start_due()
    marketing.tasks.resume(marketing.workspace_id, task.number, BEN)
    marketing.tasks.pause(marketing.workspace_id, task.number, ANA)
    message = channel.sees(PostKind.LATE, task)
    assert f"<@{BEN}> decided to send it." in shown(message)
    assert message.is_last


async def test_the_result_is_edited_until_the_last_receipt_and_says_so(marketing: Marketing, channel: Channel) -> None:
    task = marketing.a_confirmed_task(2)
    await marketing.send_all()
    reference = marketing.carrier.requests[0].reference
    marketing.report(Receipt("delivered", "DELIVRD", "id", reference, FIRST_NUMBER))
    early = channel.sees(PostKind.RESULT, task)
    assert "1 · 50.0 %" in shown(early)
    assert "This post is brought up to date" in shown(early)
    assert not early.is_last
    marketing.report(Receipt("failed", "UNDELIV", "id", reference, FIRST_NUMBER + 1))
    late = channel.sees(PostKind.RESULT, task)
    assert "This is final" in shown(late)
    assert late.is_last


async def test_the_result_says_when_the_carrier_is_waited_for_no_more(marketing: Marketing, channel: Channel) -> None:
    task = marketing.a_confirmed_task(2)
    await marketing.send_all()
    assert "This post is brought up to date as it does, until" in shown(channel.sees(PostKind.RESULT, task))
    marketing.clock.move(73 * HOUR)
    assert marketing.posts.close_receipt_windows() == 1
    last = channel.sees(PostKind.RESULT, task)
    assert "until" not in shown(last)
    assert "its reports are waited for no more" in shown(last)
    assert last.is_last


def test_an_edit_shows_in_the_channel(marketing: Marketing, channel: Channel) -> None:
    task = marketing.a_confirmed_task(2, at=marketing.in_(HOUR))
    wanted = Edit(marketing.in_(3 * HOUR), task.template_id, "spring opening")
    marketing.changes.edit(marketing.workspace_id, task.number, BEN, wanted)
    message = channel.sees(PostKind.TASK, task)
    assert "*spring opening*, *spring* to *vip*" in shown(message)
    assert f"Changed by <@{BEN}>." in shown(message)
