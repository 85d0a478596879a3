"""`/sms-task 42`: all there is to know of a task, its messages masked, in pages and by number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from handlers import task_details as handler
from handlers.replies import FieldErrors, OpenForm, Replace, Reply, Say
from handlers.tasks import Tasks
from handlers.views import task_details as views
from sandbox.slack.blocks import strings
from services.carriers.ports import Receipt
from services.errors import NotAllowed, ServiceError, UnknownThing
from tests.handlers.samples import clicked, sent, typed
from tests.services.builders import ANA, BEN, FIRST_NUMBER, Marketing
from tests.services.fakes import refuse


def show(text: str, tasks: Tasks) -> Say:
    reply = handler.command(typed(text, "/sms-task"), tasks)
    assert isinstance(reply, Say)
    return reply


def messages(reply: Reply) -> list[str]:
    assert isinstance(reply, Say | Replace)
    return [each for each in strings(reply.blocks) if each.startswith("`+86 138")]


def button(reply: Reply, action_id: str) -> str:
    assert isinstance(reply, Say | Replace)
    return str(next(each["value"] for each in reply.blocks[-1]["elements"] if each["action_id"] == action_id))


def labels(reply: Say) -> list[str]:
    return [each["text"]["text"] for block in reply.blocks if block["type"] == "actions" for each in block["elements"]]


async def test_counts_times_people_and_messages(marketing: Marketing, tasks: Tasks) -> None:
    marketing.carrier.will(refuse(FIRST_NUMBER, code="E200028"))
    marketing.a_confirmed_task(8)
    await marketing.send_all()
    reference = marketing.carrier.requests[0].reference
    for sequence in (1, 2):
        marketing.report(Receipt("delivered", "DELIVRD", "id", reference, FIRST_NUMBER + 1, sequence, 2))
    reply = show("1", tasks)
    shown = [*strings(reply.blocks)]
    assert "*Recipients*\n8" in shown
    assert "*Failed*\n1 (1 of them refused)" in shown
    assert "*Unknown*\n6" in shown
    assert any(f"Confirmed by <@{ANA}>" in each and "Last request" in each for each in shown)
    first, second, *rest = messages(reply)
    assert first.startswith("`+86 138****0001` · refused · ")
    assert "(`E200028`)" in first
    assert f"SMS ID `id-{FIRST_NUMBER + 1}`" in second
    assert "its segments: 1 of 2 delivered `DELIVRD`, 2 of 2 delivered `DELIVRD`" in second
    assert len(rest) == 4
    assert not any(str(FIRST_NUMBER)[2:] in each.split("SMS ID")[0] for each in messages(reply)), "numbers are masked"


async def test_messages_turn_in_place(marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(8)
    first = show("#1", tasks)
    second = handler.turn(clicked(button(first, views.AFTER)), tasks)
    assert isinstance(second, Replace)
    assert len(messages(second)) == 2
    assert len(messages(handler.turn(clicked(button(second, views.BEFORE)), tasks))) == 6
    marketing.tasks.stop(marketing.workspace_id, 1, ANA)
    again = handler.turn(clicked(button(second, views.REFRESH)), tasks)
    assert all("held back" in each for each in messages(again))


@pytest.mark.parametrize(
    ("typed_number", "found"),
    [("13800000003", 1), ("+86 138 0000 0003", 1), ("0003", 1), ("000", None), ("13800009999", 0), ("9999", 0)],
)
def test_a_number_is_searched(typed_number: str, found: int | None, marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(8)
    if found is None:
        with pytest.raises(NotAllowed, match="no_such_number"):
            show(f'1 number:"{typed_number}"', tasks)
        return
    reply = show(f'1 number:"{typed_number}"', tasks)
    assert len(messages(reply)) == found
    assert found or any("No number of this task is" in each for each in strings(reply.blocks))
    again = handler.turn(clicked(button(reply, views.REFRESH)), tasks)
    assert len(messages(again)) == found


def test_a_number_is_searched_with_the_form(marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(8)
    form = handler.find_form(clicked(1), tasks)
    assert isinstance(form, OpenForm)
    found = handler.find(sent(form.context, number=" 0003 "), tasks)
    assert isinstance(found, Replace)
    assert len(messages(found)) == 1
    wrong = handler.find(sent(form.context, number="soon"), tasks)
    assert isinstance(wrong, FieldErrors)
    assert list(wrong.errors) == ["number"]


def test_what_can_be_done_is_offered_by_state(marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(1, group="a", at=marketing.in_(timedelta(hours=1)))
    turning = ["Refresh", "Find a number…"]
    assert labels(show("1", tasks)) == ["Edit…", "Cancel", "Stop", "Copy", "Files…", *turning]
    marketing.a_confirmed_task(1, group="b")
    assert labels(show("2", tasks)) == ["Pause", "Stop", "Copy", "Files…", *turning]
    marketing.tasks.pause(marketing.workspace_id, 2, BEN)
    assert labels(show("2", tasks)) == ["Go on", "Stop", "Copy", "Files…", *turning]
    marketing.tasks.stop(marketing.workspace_id, 2, BEN)
    assert labels(show("2", tasks)) == ["Delete", "Copy", "Files…", *turning]
    marketing.changes.delete(marketing.workspace_id, 2, BEN)
    gone = show("2", tasks)
    assert labels(gone) == ["Copy", "Files…", *turning]
    assert "off the list" in gone.text


async def test_what_did_not_arrive_can_be_sent_again(marketing: Marketing, tasks: Tasks) -> None:
    marketing.carrier.will(refuse(FIRST_NUMBER))
    marketing.a_confirmed_task(2)
    await marketing.send_all()
    assert {"Resend to failed", "Resend to unknown…"} <= set(labels(show("1", tasks)))


@pytest.mark.parametrize("text", ["", "2", "soon", "1 2", "number:0003"])
def test_what_is_no_task_is_said(text: str, marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(1)
    with pytest.raises(ServiceError):
        show(text, tasks)
    with pytest.raises(UnknownThing):
        handler.show(clicked(1, workspace="T0OTHER"), tasks)
