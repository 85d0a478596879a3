"""A workspace that removes the bot: nothing is sent in its name, until it has the bot again and somebody says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.database import Database
from services.posts import PostKind
from services.removals import Removals
from services.states import PauseReason, TaskState
from tests.services.builders import ANA, Marketing


@pytest.fixture
def removals(marketing: Marketing) -> Removals:
    return Removals(marketing.database, marketing.clock)


def asked_about(marketing: Marketing) -> list[int]:
    return [post.subject_id for post in marketing.posts.due() if post.kind is PostKind.LATE]


async def test_what_is_being_sent_is_paused_and_asked_about_later(marketing: Marketing, removals: Removals) -> None:
    task = marketing.a_confirmed_task(3)
    assert removals.removed(marketing.workspace_id) == 1
    await marketing.send_all()
    assert marketing.carrier.requests == []
    now = marketing.task(task)
    assert (now.state, now.pause_reason) == (TaskState.PAUSED, PauseReason.UNINSTALLED)
    assert asked_about(marketing) == []
    assert removals.installed(marketing.workspace_id) == 1
    assert asked_about(marketing) == [task.id]
    await marketing.send_all()
    assert marketing.carrier.requests == []
    marketing.tasks.resume(marketing.workspace_id, task.number, ANA)
    await marketing.send_all()
    assert marketing.task(task).state is TaskState.FINISHED


@pytest.mark.parametrize("late", [timedelta(), timedelta(minutes=20)])
def test_what_is_scheduled_is_paused_when_it_is_due(marketing: Marketing, removals: Removals, late: timedelta) -> None:
    task = marketing.a_confirmed_task(3, at=marketing.in_(timedelta(hours=1)))
    removals.removed(marketing.workspace_id)
    assert marketing.task(task).state is TaskState.SCHEDULED
    marketing.clock.move(timedelta(hours=1) + late)
    assert marketing.tasks.start_due() == 1
    assert marketing.tasks.start_due() == 0
    assert marketing.task(task).pause_reason is PauseReason.UNINSTALLED
    assert asked_about(marketing) == []
    removals.installed(marketing.workspace_id)
    assert asked_about(marketing) == [task.id]


def test_one_that_is_back_in_time_is_sent_as_planned(marketing: Marketing, removals: Removals) -> None:
    task = marketing.a_confirmed_task(3, at=marketing.in_(timedelta(hours=1)))
    removals.removed(marketing.workspace_id)
    assert removals.installed(marketing.workspace_id) == 0
    marketing.clock.move(timedelta(hours=1))
    marketing.tasks.start_due()
    assert marketing.task(task).state is TaskState.SENDING


def test_it_concerns_no_other_workspace(database: Database, marketing: Marketing, removals: Removals) -> None:
    other = Marketing(database, workspace_id="T0OTHER")
    task = other.a_confirmed_task(3)
    marketing.a_confirmed_task(3)
    assert removals.removed(marketing.workspace_id) == 1
    assert other.task(task).state is TaskState.SENDING


def test_installing_it_again_without_removing_it_asks_nothing(marketing: Marketing, removals: Removals) -> None:
    marketing.a_confirmed_task(3)
    assert removals.installed(marketing.workspace_id) == 0
    assert asked_about(marketing) == []


def test_what_a_person_had_paused_stays_theirs(marketing: Marketing, removals: Removals) -> None:
    task = marketing.a_confirmed_task(3)
    marketing.tasks.pause(marketing.workspace_id, task.number, ANA)
    assert removals.removed(marketing.workspace_id) == 0
    assert removals.installed(marketing.workspace_id) == 0
    assert marketing.task(task).pause_reason is PauseReason.PERSON
