"""The list of tasks: every filter, in pages that neither repeat nor leave out."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from services.errors import UnknownThing
from services.group_changes import GroupChanges
from services.models import send_task
from services.previews import SendRequest
from services.states import TaskState
from services.task_lists import Place, TaskFilter, TaskLists, TaskPage
from services.task_reports import Task
from tests.services.builders import ANA, BEN, CHANNEL, FIRST_NUMBER, Marketing, numbers

DAY = timedelta(days=1)


def page(marketing: Marketing, place: Place | None = None, size: int = 3, **wanted: object) -> TaskPage:
    only = TaskFilter(**wanted)  # type: ignore[arg-type] # the tests name its fields
    return TaskLists(marketing.database).page(marketing.workspace_id, only, place or Place(), size)


def shown(found: TaskPage) -> list[int]:
    return [task.number for task in found.tasks]


def a_named_task(marketing: Marketing, name: str, group: str = "vip", by: str = ANA, template: str = "spring") -> Task:
    wanted = SendRequest([group], template, name=name)
    return marketing.confirmed(marketing.previews.draft(marketing.workspace_id, CHANNEL, by, wanted))


def test_pages_go_forth_and_back_without_a_gap(marketing: Marketing) -> None:
    for n in range(8):
        marketing.a_confirmed_task(1, group=f"g{n}")
    first = page(marketing)
    assert (shown(first), first.has_newer, first.has_older) == ([8, 7, 6], False, True)
    second = page(marketing, Place("older", 6))
    assert (shown(second), second.has_newer, second.has_older) == ([5, 4, 3], True, True)
    third = page(marketing, Place("older", 3))
    assert (shown(third), third.has_newer, third.has_older) == ([2, 1], True, False)
    back = page(marketing, Place("newer", 2))
    assert (shown(back), back.has_newer, back.has_older) == ([5, 4, 3], True, True)
    assert shown(page(marketing, Place("newer", 5))) == [8, 7, 6]
    marketing.a_confirmed_task(1, group="new")
    assert shown(page(marketing, Place("older", 6))) == [5, 4, 3], "what is new moves no page"
    beyond = page(marketing, Place("older", 1))
    assert (shown(beyond), beyond.has_newer, beyond.has_older) == ([], True, False)
    ahead = page(marketing, Place("newer", 9))
    assert (shown(ahead), ahead.has_newer, ahead.has_older) == ([], False, True)


def test_by_state_and_deleted_ones_only_where_asked(marketing: Marketing) -> None:
    for name in "abc":
        marketing.a_confirmed_task(1, group=name)
    marketing.tasks.stop(marketing.workspace_id, 1, ANA)
    marketing.tasks.stop(marketing.workspace_id, 2, ANA)
    marketing.changes.delete(marketing.workspace_id, 2, ANA)
    assert shown(page(marketing)) == [3, 1]
    assert shown(page(marketing, state=TaskState.STOPPED)) == [1]
    assert shown(page(marketing, state=TaskState.SENDING)) == [3]
    gone = page(marketing, deleted=True)
    assert shown(gone) == [2]
    assert (gone.tasks[0].deleted_by, gone.tasks[0].held_back) == (ANA, 1)


def test_by_part_of_the_name_or_of_the_templates(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(1))
    a_named_task(marketing, "Spring Opening")
    a_named_task(marketing, "100% off_today")
    a_named_task(marketing, "春季开业")
    a_named_task(marketing, "", template="hello")
    a_named_task(marketing, "ÉTÉ · Straße", template="hello")
    assert shown(page(marketing, name="opening")) == [1]
    assert shown(page(marketing, name="été")) == shown(page(marketing, name="STRASSE")) == [5]
    assert shown(page(marketing, name="１００％")) == [2]
    assert shown(page(marketing, name="季开")) == [3]
    assert shown(page(marketing, name="0% OFF_")) == [2]
    assert shown(page(marketing, name="%")) == [2]
    assert shown(page(marketing, name="HELL")) == [5, 4]
    assert shown(page(marketing, name="spring")) == [3, 2, 1], "the template's name"
    assert shown(page(marketing, name="winter")) == []


def test_by_the_group_it_was_sent_to_also_after_that_is_renamed_or_gone(marketing: Marketing) -> None:
    group = marketing.a_group("vip", numbers(3))
    marketing.a_group("staff", numbers(1))
    marketing.confirmed(marketing.a_draft(["vip"], exclude=["staff"]))
    marketing.confirmed(marketing.a_draft(["staff"]))
    assert shown(page(marketing, group="VIP")) == [1]
    assert shown(page(marketing, group="staff")) == [2], "who was left out was not sent to"
    changes = GroupChanges(marketing.database, marketing.clock)
    changes.rename(marketing.workspace_id, group.id, "regulars")
    assert shown(page(marketing, group="regulars")) == [1]
    assert shown(page(marketing, group="vip")) == [1], "the name it had then"
    changes.delete(marketing.workspace_id, group.id)
    assert shown(page(marketing, group="vip")) == [1]
    with pytest.raises(UnknownThing) as unknown:
        page(marketing, group="vpi")
    assert (unknown.value.kind, unknown.value.known) == ("group", ("staff",))


def test_by_who_made_it_and_by_day(marketing: Marketing) -> None:
    marketing.a_group("vip", numbers(1, FIRST_NUMBER))
    a_named_task(marketing, "one")
    marketing.clock.move(DAY)
    a_named_task(marketing, "two", by=BEN)
    today = marketing.clock.now()
    marketing.confirmed(marketing.a_draft(at=marketing.in_(2 * DAY)))
    assert shown(page(marketing, created_by=BEN)) == [2]
    assert shown(page(marketing, created_by=ANA)) == [3, 1]
    assert shown(page(marketing, since=today, until=today + DAY)) == [2]
    assert shown(page(marketing, since=today + 2 * DAY)) == [3], "when it is to be sent"
    assert shown(page(marketing, until=today)) == [1]
    assert shown(page(marketing, created_by=ANA, since=today)) == [3]


def test_tests_are_marked(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(1)
    with marketing.database.write(everyone=True) as tx:
        tx.execute(update(send_task).where(send_task.c.id == task.id).values(is_test=True))
        tx.commit()
    assert [each.is_test for each in page(marketing).tasks] == [True]


def test_another_workspace_sees_none_of_it(marketing: Marketing) -> None:
    marketing.a_confirmed_task(1)
    other = Marketing(marketing.database, workspace_id="T0OTHER")
    assert shown(page(other)) == []
    with pytest.raises(UnknownThing):
        page(other, group="vip")
