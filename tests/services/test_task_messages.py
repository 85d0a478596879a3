"""A task's messages: in pages, by number, and what the carrier said of each segment."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from services.carriers.ports import Receipt
from services.database import Database
from services.models import recipient, send_task
from services.pool import Fate
from services.task_messages import MessagePage, MessagePlace, TaskMessages, UnknownCounts, find_number
from services.task_reports import Task
from tests.services.builders import ANA, FIRST_NUMBER, Marketing, numbers
from tests.services.fakes import FakeCarrier, crash, leave_out, refuse


def page(marketing: Marketing, task: Task, size: int = 3, **place: Any) -> MessagePage:
    return TaskMessages(marketing.database).page(marketing.task(task), MessagePlace(**place), size)


def seqs(found: MessagePage) -> list[int]:
    return [each.seq for each in found.messages]


def test_pages_go_forth_and_back_without_a_gap(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(8)
    first = page(marketing, task)
    assert (seqs(first), first.has_before, first.has_after) == ([1, 2, 3], False, True)
    second = page(marketing, task, seq=3)
    assert (seqs(second), second.has_before, second.has_after) == ([4, 5, 6], True, True)
    last = page(marketing, task, seq=6)
    assert (seqs(last), last.has_before, last.has_after) == ([7, 8], True, False)
    back = page(marketing, task, side="before", seq=7)
    assert (seqs(back), back.has_before, back.has_after) == ([4, 5, 6], True, True)
    assert seqs(page(marketing, task, side="before", seq=4)) == [1, 2, 3]
    assert not page(marketing, task, side="before", seq=4).has_before


async def test_each_message_says_what_became_of_it(marketing: Marketing) -> None:
    marketing.carrier.will(refuse(FIRST_NUMBER), crash)
    task = marketing.a_confirmed_task(701)
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    await marketing.send_next(dispatch)
    reference = marketing.carrier.requests[0].reference
    at = marketing.in_(timedelta(seconds=9))
    marketing.report(
        Receipt("delivered", "DELIVRD", f"id-{FIRST_NUMBER + 1}", reference, FIRST_NUMBER + 1, at=at),
        Receipt("failed", "UNDELIV", f"id-{FIRST_NUMBER + 2}", reference, FIRST_NUMBER + 2, at=at),
    )
    messages = [*page(marketing, task, 4).messages, *page(marketing, task, 1, seq=200).messages]
    messages += page(marketing, task, 1, seq=700).messages
    assert [(m.number - FIRST_NUMBER, m.fate, m.code, m.sms_id is not None, m.carrier) for m in messages] == [
        (0, Fate.REFUSED, "E200028", False, "huawei"),
        (1, Fate.DELIVERED, "DELIVRD", True, "huawei"),
        (2, Fate.FAILED, "UNDELIV", True, "huawei"),
        (3, Fate.ACCEPTED, "000000", True, "huawei"),
        (200, Fate.UNKNOWN, "", False, "huawei"),
        (700, Fate.WAITING, "", False, "huawei"),
    ]
    assert [m.at for m in messages[1:3]] == [at, at]
    marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
    assert page(marketing, task, 1, seq=700).messages[0].fate is Fate.HELD_BACK


async def test_a_long_sms_is_its_segments_under_one_sms_id(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(2)
    await marketing.send_all()
    reference = marketing.carrier.requests[0].reference
    for sequence in (2, 1):
        marketing.report(Receipt("delivered", "DELIVRD", f"id-{FIRST_NUMBER}", reference, FIRST_NUMBER, sequence, 2))
    one, other = page(marketing, task).messages
    assert (one.fate, one.sms_id) == (Fate.DELIVERED, f"id-{FIRST_NUMBER}")
    assert [(each.sequence, each.total, each.status) for each in one.segments] == [
        (1, 2, "delivered"),
        (2, 2, "delivered"),
    ]
    assert other.segments == []


async def test_segments_are_found_by_sms_id_where_no_reference_is_echoed(database: Database) -> None:
    marketing = Marketing(database, carrier=FakeCarrier(echoes_reference=False))
    task = marketing.a_confirmed_task(1)
    await marketing.send_all()
    marketing.report(
        Receipt("delivered", "DELIVRD", f"id-{FIRST_NUMBER}", None, FIRST_NUMBER),
        Receipt("failed", "OTHER", "a stranger's", None, FIRST_NUMBER),
    )
    (message,) = page(marketing, task).messages
    assert [each.code for each in message.segments] == ["DELIVRD"]


def test_a_number_is_found_whole_and_by_its_end(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(250)
    (found,) = page(marketing, task, number=FIRST_NUMBER + 123).messages
    assert found.number == FIRST_NUMBER + 123
    assert seqs(page(marketing, task, number=FIRST_NUMBER + 250)) == []
    assert seqs(page(marketing, task, number=1)) == []
    ending = page(marketing, task, 2, ending="01")
    assert (seqs(ending), ending.has_after) == ([1, 101], True)
    assert seqs(page(marketing, task, 2, ending="01", seq=101)) == [201]
    assert seqs(page(marketing, task, 2, ending="01", side="before", seq=201)) == [1, 101]
    assert seqs(page(marketing, task, ending="999")) == []


_WORKSPACES = count()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(found=st.lists(st.integers(1, 30), min_size=1, max_size=40), wanted=st.integers(0, 31))
def test_every_copy_of_a_number_is_found(sqlite: Database, found: list[int], wanted: int) -> None:
    """Each number once in order, then further copies of some in order."""
    marketing = Marketing(sqlite, workspace_id=f"T{next(_WORKSPACES)}")
    task = marketing.a_confirmed_task(1)
    distinct = sorted(set(found))
    rest = sorted(found)
    for number in distinct:
        rest.remove(number)
    rows = [{"task_id": task.id, "seq": seq, "number": n} for seq, n in enumerate([*distinct, *rest], start=1)]
    counts = {"recipients": len(rows), "distinct_numbers": len(distinct)}
    with sqlite.write() as tx:
        tx.execute(recipient.delete().where(recipient.c.task_id == task.id))
        tx.execute(insert(recipient), rows)
        tx.execute(update(send_task).where(send_task.c.id == task.id).values(**counts))
        tx.commit()
    with sqlite.read() as connection:
        copies = find_number(connection, marketing.task(task), wanted)
    assert copies == [row["seq"] for row in rows if row["number"] == wanted]


async def test_the_unknown_are_told_apart(marketing: Marketing) -> None:
    marketing.carrier.will(leave_out(FIRST_NUMBER + 1, FIRST_NUMBER + 2))
    task = marketing.a_confirmed_task(6)
    await marketing.send_all()
    reference = marketing.carrier.requests[0].reference
    marketing.report(Receipt("delivered", "DELIVRD", f"id-{FIRST_NUMBER}", reference, FIRST_NUMBER))
    counts = TaskMessages(marketing.database).unknown(marketing.task(task))
    assert counts == UnknownCounts(unanswered=2, unreported=3)
    assert numbers(6) == marketing.carrier.numbers


@pytest.mark.parametrize("side", ["after", "before"])
def test_a_page_beyond_the_ends_is_empty(marketing: Marketing, side: str) -> None:
    task = marketing.a_confirmed_task(2)
    found = page(marketing, task, side=side, seq=9 if side == "after" else 1)
    assert seqs(found) == []
