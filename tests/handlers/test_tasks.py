"""Lists, cancels, stops and files of failed numbers, over real services."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest

from handlers import task_changes, task_details, task_list
from handlers import tasks as handler
from handlers.arguments import BadArguments
from handlers.errors import explain
from handlers.replies import Replace, Say, SendFile
from handlers.tasks import Tasks
from services.errors import NotAllowed, ServiceError, UnknownThing
from services.retention import Periods, Retention
from services.states import TaskState
from tests.handlers.samples import ANA_HERE, clicked, typed
from tests.services.builders import FIRST_NUMBER, Marketing
from tests.services.fakes import refuse

HOUR = timedelta(hours=1)


def test_a_task_is_cancelled_free_until_five_minutes_before(tasks: Tasks, marketing: Marketing) -> None:
    marketing.a_confirmed_task(at=marketing.in_(HOUR))
    said = handler.cancel(typed("1", "/sms-cancel"), tasks)
    assert said == Say("Task 1 is cancelled. None of its 3 messages was sent, and you are not charged.")
    with pytest.raises(NotAllowed, match="not_cancellable"):
        handler.cancel(clicked(1), tasks)


@pytest.mark.parametrize("text", ["1", " 1 ", "#1", "＃1", "１", '"1"'])
def test_a_number_is_read_however_it_is_typed(text: str, tasks: Tasks, marketing: Marketing) -> None:
    marketing.a_confirmed_task(at=marketing.in_(HOUR))
    assert isinstance(handler.cancel(typed(text, "/sms-cancel"), tasks), Say)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Which task? `/sms-tasks` lists them with their numbers."),
        ("   ", "Which task? `/sms-tasks` lists them with their numbers."),
        ("2", "There is no task *2*. `/sms-tasks` lists them all."),
        ("#2", "There is no task *2*. `/sms-tasks` lists them all."),
        ("0", "There is no task *0*. `/sms-tasks` lists them all."),
        ("9" * 30, f"There is no task *{'9' * 30}*. `/sms-tasks` lists them all."),
        ("-1", "*-1* is not the number of a task. `/sms-tasks` lists them with their numbers."),
        ("1.5", "*1.5* is not the number of a task. `/sms-tasks` lists them with their numbers."),
        ("1 2", "*1 2* is not the number of a task. `/sms-tasks` lists them with their numbers."),
        ("all", "*all* is not the number of a task. `/sms-tasks` lists them with their numbers."),
        ("②", "*②* is not the number of a task. `/sms-tasks` lists them with their numbers."),
        ("<!channel>", "*&lt;!channel&gt;* is not the number of a task. `/sms-tasks` lists them with their numbers."),
        ("task:1", "`task:` is not something this command knows. Leave it out."),
        ("1,2", "I cannot place *,*. Leave it out."),
        ('"1', 'The quote in *"1* is never closed. Add the closing quote.'),
    ],
)
def test_what_is_no_number_stops_nothing(text: str, sentence: str, tasks: Tasks, marketing: Marketing) -> None:
    marketing.a_confirmed_task(at=marketing.in_(HOUR))
    for command in (handler.cancel, handler.stop):
        with pytest.raises(ServiceError) as raised:
            command(typed(text, "/sms-cancel"), tasks)
        assert explain(raised.value, ANA_HERE["zone"]) == sentence
    assert tasks.reports.get(marketing.workspace_id, 1).state is TaskState.SCHEDULED


def test_a_task_is_stopped_with_exact_counts(tasks: Tasks, marketing: Marketing) -> None:
    marketing.a_confirmed_task(5)
    said = handler.stop(typed("1", "/sms-stop"), tasks)
    assert said == Say("Task 1 is stopped: 0 were handed to the carrier, 5 are held back.")
    with pytest.raises(NotAllowed, match="not_stoppable"):
        handler.stop(clicked(1), tasks)


def test_a_late_task_is_sent_when_somebody_says_so(tasks: Tasks, marketing: Marketing) -> None:
    marketing.a_confirmed_task(at=marketing.in_(HOUR))
    marketing.clock.move(HOUR * 2)
    marketing.tasks.start_due()
    assert handler.resume(clicked(1), tasks) == Say("Task 1 goes on: 0 were handed to the carrier, 3 are still to go.")
    assert tasks.reports.get(marketing.workspace_id, 1).state is TaskState.SENDING
    with pytest.raises(NotAllowed, match="not_resumable"):
        handler.resume(clicked(1), tasks)


def test_tasks_are_listed_newest_first_or_of_one_status(tasks: Tasks, marketing: Marketing) -> None:
    marketing.a_confirmed_task(group="first", at=marketing.in_(HOUR))
    marketing.a_confirmed_task(group="second")
    everything = task_list.command(typed("", "/sms-tasks"), tasks)
    assert isinstance(everything, Say)
    shown = str(everything.blocks)
    assert shown.index("*second*") < shown.index("*first*")
    scheduled = task_list.command(typed("status:Scheduled", "/sms-tasks"), tasks)
    assert isinstance(scheduled, Say)
    assert "*first*" in str(scheduled.blocks)
    assert "*second*" not in str(scheduled.blocks)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("status:sheduled", UnknownThing),
        ("status:draft", UnknownThing),
        ("state:scheduled", BadArguments),
        ("scheduled", BadArguments),
        ("status:sending,paused", BadArguments),
    ],
)
def test_a_list_of_an_unknown_status_is_refused(text: str, error: type[Exception], tasks: Tasks) -> None:
    with pytest.raises(error):
        task_list.command(typed(text, "/sms-tasks"), tasks)


async def test_failed_numbers_come_as_a_file_by_direct_message(
    tasks: Tasks, marketing: Marketing, tmp_path: Path
) -> None:
    marketing.carrier.will(refuse(FIRST_NUMBER + 1))
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    reply = handler.failed_numbers(clicked(1), tasks)
    assert isinstance(reply, SendFile)
    assert reply.name == "task-1-failed-numbers.xlsx"
    assert reply.say == "The 1 failed number of task 1 is in our direct messages."
    reply.write(tmp_path / "file")
    (tmp_path / "file").rename(tmp_path / "file.xlsx")
    (sheet,) = openpyxl.load_workbook(tmp_path / "file.xlsx").worksheets
    rows = [*sheet.iter_rows(values_only=True)]
    assert rows[0] == ("Number", "Result", "Carrier code", "What it means", "SMS ID", "Time (UTC)")
    assert [row[:3] for row in rows[1:]] == [(f"+{FIRST_NUMBER + 1}", "refused", "E200028")]


async def test_of_a_forgotten_task_the_counts_are_left(tasks: Tasks, marketing: Marketing) -> None:
    marketing.carrier.will(refuse(FIRST_NUMBER + 1))
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    marketing.clock.move(timedelta(days=99))
    Retention(marketing.database, marketing.clock, Periods(timedelta(days=90))).tick()
    presses = (handler.failed_numbers, handler.files_form, task_details.find_form, task_changes.ask_unknown)
    for press in (*presses, task_changes.resend_failed):
        with pytest.raises(NotAllowed, match="task_forgotten"):
            press(clicked(1), tasks)
    said = task_list.command(typed("", "/sms-tasks"), tasks)
    assert isinstance(said, Say)
    assert "1 failed" in str(said.blocks)
    shown = task_details.command(typed("1", "/sms-task"), tasks)
    assert isinstance(shown, Say)
    assert "Its numbers were deleted on" in str(shown.blocks)
    for search in ("13800000001", "0001"):
        found = task_details.command(typed(f"1 number:{search}", "/sms-task"), tasks)
        turned = task_details.turn(clicked(f"1:after:0:{search}"), tasks)
        assert isinstance(found, Say)
        assert isinstance(turned, Replace)
        assert "Its numbers were deleted on" in str(found.blocks)
        assert turned.blocks == found.blocks


def test_another_workspaces_task_is_not_there(tasks: Tasks, marketing: Marketing) -> None:
    marketing.a_confirmed_task()
    for press in (handler.stop, handler.failed_numbers, handler.cancel, handler.resume):
        with pytest.raises(UnknownThing):
            press(clicked(1, workspace="T0OTHER"), tasks)
