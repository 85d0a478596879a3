"""Editing in a form, copying, and the warning before unknown messages are sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from handlers import task_changes as handler
from handlers.replies import FieldErrors, OpenForm, Replace, Say
from handlers.send import Sending
from handlers.send import confirm as confirm_preview
from handlers.tasks import Tasks
from sandbox.slack.blocks import strings
from services.errors import NotAllowed, ServiceError
from tests.handlers.samples import clicked, sent
from tests.services.builders import ANA, FIRST_NUMBER, Marketing
from tests.services.fakes import leave_out, refuse

HOUR = timedelta(hours=1)


def opened(tasks: Tasks) -> dict[str, dict[str, str]]:
    form = handler.edit_form(clicked(1), tasks)
    assert isinstance(form, OpenForm)
    assert form.context == "1"
    return {block["block_id"]: block["element"] for block in form.view["blocks"] if block["type"] == "input"}


def test_the_form_shows_how_it_is_and_takes_how_it_is_to_be(marketing: Marketing, tasks: Tasks) -> None:
    task = marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
    fields = opened(tasks)
    # 03:00 UTC, in Madrid in winter.
    assert fields["at"]["initial_value"] == "2026-03-04 04:00"
    reply = handler.submit_edit(sent(1, at="tomorrow 10:00", template=task.template_id, name="spring opening"), tasks)
    assert isinstance(reply, Say)
    assert reply.text.startswith("Task 1 is changed: Thu 5 Mar 2026, 10:00 (Europe/Madrid, UTC+1), to 3 customers.")
    edited = marketing.task(task)
    assert (edited.name, edited.scheduled_at) == ("spring opening", datetime(2026, 3, 5, 9, 0, tzinfo=UTC))
    assert opened(tasks)["name"]["initial_value"] == "spring opening"


def test_an_untouched_time_is_the_same_moment(marketing: Marketing, tasks: Tasks) -> None:
    at = marketing.in_(timedelta(hours=1, seconds=7))
    task = marketing.a_confirmed_task(1, at=at)
    fields = opened(tasks)
    handler.submit_edit(sent(1, at=fields["at"]["initial_value"], template=task.template_id, name="x"), tasks)
    assert (marketing.task(task).name, marketing.task(task).scheduled_at) == ("x", at)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"at": "soon"}, "at"),
        ({"at": "2026-03-03 10:00"}, "at"),
        ({"at": "2026-09-01 10:00"}, "at"),
        ({"at": "2026-03-29 02:30"}, "at"),
        ({"name": "x" * 101}, "name"),
        ({"template": "999"}, "template"),
    ],
    ids=["unclear", "over", "too far", "skipped by the clocks", "long name", "no such template"],
)
def test_what_is_wrong_is_said_under_its_field(
    fields: dict[str, str], wrong: str, marketing: Marketing, tasks: Tasks
) -> None:
    task = marketing.a_confirmed_task(1, at=marketing.in_(HOUR))
    given = {"at": "tomorrow 10:00", "template": str(task.template_id), "name": "", **fields}
    reply = handler.submit_edit(sent(1, **given), tasks)
    assert isinstance(reply, FieldErrors)
    assert list(reply.errors) == [wrong]
    assert marketing.task(task) == task


def test_what_cannot_be_edited_opens_no_form(marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(1)
    with pytest.raises(NotAllowed, match="not_editable"):
        handler.edit_form(clicked(1), tasks)
    reply = handler.submit_edit(sent(1, at="tomorrow 10:00", template="1", name=""), tasks)
    assert isinstance(reply, FieldErrors)
    assert "Task 1 is sending" in reply.errors["at"]


def test_a_copy_is_a_preview_like_any_other(marketing: Marketing, tasks: Tasks, sending: Sending) -> None:
    marketing.a_confirmed_task(3, at=marketing.in_(HOUR))
    reply = handler.copy(clicked(1), tasks)
    assert isinstance(reply, Say)
    confirmed = next(each for block in reply.blocks if block["type"] == "actions" for each in block["elements"])
    assert confirmed["text"]["text"] == "Send to 3 customers"
    sent_ = confirm_preview(clicked(confirmed["value"]), sending)
    assert isinstance(sent_, Replace)
    assert sent_.text.startswith("Task 2 is sending to 3 customers.")


async def test_failed_ones_go_straight_to_a_preview(marketing: Marketing, tasks: Tasks, sending: Sending) -> None:
    marketing.carrier.will(refuse(FIRST_NUMBER))
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    reply = handler.resend_failed(clicked(1), tasks)
    assert isinstance(reply, Say)
    assert any("1 in the failed messages of task 1" in each for each in strings(reply.blocks))
    draft = next(each for block in reply.blocks if block["type"] == "actions" for each in block["elements"])
    confirm_preview(clicked(draft["value"]), sending)
    again = handler.resend_failed(clicked(1), tasks)
    assert isinstance(again, Say)
    assert any("Task 2 has sent these again already" in each for each in strings(again.blocks))


async def test_who_was_second_is_told_and_asked_again(marketing: Marketing, tasks: Tasks, sending: Sending) -> None:
    marketing.carrier.will(refuse(FIRST_NUMBER))
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    buttons = []
    for _ in range(2):
        reply = handler.resend_failed(clicked(1), tasks)
        assert isinstance(reply, Say)
        buttons.append(next(each for block in reply.blocks if block["type"] == "actions" for each in block["elements"]))
    confirm_preview(clicked(buttons[0]["value"]), sending)
    fresh = confirm_preview(clicked(buttons[1]["value"]), sending)
    assert isinstance(fresh, Replace)
    shown = "\n".join(strings(fresh.blocks))
    assert "*Nothing was sent:* somebody has sent these again since your preview." in shown
    assert "Task 2 has sent these again already." in shown
    assert "Send to 1 customer" in shown


async def test_unknown_ones_are_warned_about_first(marketing: Marketing, tasks: Tasks) -> None:
    marketing.carrier.will(leave_out(FIRST_NUMBER))
    marketing.a_confirmed_task(4)
    await marketing.send_all()
    warned = handler.ask_unknown(clicked(1), tasks)
    assert isinstance(warned, Say)
    shown = "\n".join(strings(warned.blocks))
    assert "1 message had *no answer*" in shown
    assert "3 messages were *accepted without a receipt*" in shown
    assert "a second time" in shown
    reply = handler.resend_unknown(clicked(1), tasks)
    assert isinstance(reply, Replace)
    assert "Send to 4 customers" in [*strings(reply.blocks)]
    assert handler.leave(clicked("leave"), tasks) == Replace("Nothing was sent.")


async def test_where_nothing_is_unknown_any_more(marketing: Marketing, tasks: Tasks) -> None:
    marketing.carrier.will(refuse(FIRST_NUMBER))
    marketing.a_confirmed_task(1)
    with pytest.raises(NotAllowed, match="resend_running"):
        handler.ask_unknown(clicked(1), tasks)
    await marketing.send_all()
    with pytest.raises(NotAllowed, match="nothing_to_resend"):
        handler.ask_unknown(clicked(1), tasks)


def test_a_result_must_have_a_place_to_go(marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(1)
    for press in (handler.copy, handler.resend_failed, handler.resend_unknown):
        with pytest.raises(NotAllowed, match="bot_not_in_channel"):
            press(clicked(1, bot_in_channel=False), tasks)


def test_another_workspaces_task_is_not_there(marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(1, at=marketing.in_(HOUR))
    for press in (handler.edit_form, handler.copy, handler.resend_failed, handler.ask_unknown):
        with pytest.raises(ServiceError, match="unknown task"):
            press(clicked(1, workspace="T0OTHER"), tasks)
    assert marketing.reports.get(marketing.workspace_id, 1).confirmed_by == ANA
