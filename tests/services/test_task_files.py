"""Files of a task: exactly the messages asked for, in the uploader's order and with the uploader's columns."""

import csv
import json
from pathlib import Path

import openpyxl
import pytest
from sqlalchemy import bindparam, update

from services.carriers.ports import Receipt
from services.database import Database
from services.models import recipient
from services.task_files import FileKind, TaskFiles, Which
from services.task_reports import Task
from tests.services.builders import ANA, FIRST_NUMBER, Marketing
from tests.services.fakes import leave_out, refuse

HEADER = ["Number", "Result", "Carrier code", "What it means", "SMS ID", "Time (UTC)"]


def read(marketing: Marketing, task: Task, which: Which, kind: FileKind, folder: Path) -> list[list[str]]:
    path = folder / f"file.{kind.value}"
    TaskFiles(marketing.database).write(task, which, kind, path)
    if kind is FileKind.CSV:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))
    (sheet,) = openpyxl.load_workbook(path).worksheets
    return [[str(cell or "") for cell in row] for row in sheet.iter_rows(values_only=True)]


def from_a_file(marketing: Marketing, task: Task, rows: list[tuple[int, dict[str, str] | None]]) -> None:
    """As if recipient 1, 2, … had come from these rows with these other columns."""
    with marketing.database.write() as tx:
        one = update(recipient).where(recipient.c.task_id == task.id, recipient.c.seq == bindparam("the_seq"))
        values = [
            {"the_seq": seq, "the_row": row, "the_rest": json.dumps(rest, ensure_ascii=False) if rest else None}
            for seq, (row, rest) in enumerate(rows, start=1)
        ]
        tx.execute(one.values(import_id=1, row=bindparam("the_row"), attributes=bindparam("the_rest")), values)
        tx.commit()


async def a_mixed_task(marketing: Marketing) -> Task:
    """Refused, delivered, failed, accepted; and two that wait."""
    marketing.carrier.will(refuse(FIRST_NUMBER))
    task = marketing.a_confirmed_task(202)
    await marketing.send_next(marketing.a_dispatch())
    reference = marketing.carrier.requests[0].reference
    marketing.report(
        Receipt("delivered", "DELIVRD", f"id-{FIRST_NUMBER + 1}", reference, FIRST_NUMBER + 1),
        Receipt("failed", "UNDELIV", f"id-{FIRST_NUMBER + 2}", reference, FIRST_NUMBER + 2),
    )
    return marketing.task(task)


@pytest.mark.parametrize("kind", list(FileKind))
async def test_failed_numbers_with_the_carriers_word(marketing: Marketing, kind: FileKind, tmp_path: Path) -> None:
    task = await a_mixed_task(marketing)
    plus = "" if kind is FileKind.CSV else "+"
    rows = read(marketing, task, Which.FAILED, kind, tmp_path)
    assert rows == [
        HEADER,
        [f"{plus}{FIRST_NUMBER}", "refused", "E200028", rows[1][3], "", "2026-03-04 02:00:00"],
        [f"{plus}{FIRST_NUMBER + 2}", "failed", "UNDELIV", rows[2][3], f"id-{FIRST_NUMBER + 2}", "2026-03-04 02:00:00"],
    ]
    assert all(row[3] for row in rows), "in plain words"


async def test_everything_says_what_became_of_each(marketing: Marketing, tmp_path: Path) -> None:
    task = await a_mixed_task(marketing)
    header, *rows = read(marketing, task, Which.ALL, FileKind.CSV, tmp_path)
    assert header == HEADER
    assert [int(row[0]) - FIRST_NUMBER for row in rows] == list(range(202))
    assert [row[1] for row in rows[:4]] == ["refused", "delivered", "failed", "unknown: no receipt yet"]
    assert {row[1] for row in rows[200:]} == {"waiting"}
    marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
    rows = read(marketing, task, Which.ALL, FileKind.CSV, tmp_path)
    assert {row[1] for row in rows[201:]} == {"held back"}


async def test_unknown_numbers_say_of_which_kind(marketing: Marketing, tmp_path: Path) -> None:
    marketing.carrier.will(leave_out(FIRST_NUMBER + 1))
    task = marketing.a_confirmed_task(700)
    await marketing.send_next(marketing.a_dispatch())
    reference = marketing.carrier.requests[0].reference
    marketing.report(Receipt("delivered", "DELIVRD", "id", reference, FIRST_NUMBER))
    rows = read(marketing, task, Which.UNKNOWN, FileKind.CSV, tmp_path)[1:]
    assert [int(row[0]) - FIRST_NUMBER for row in rows] == list(range(1, 200)), "none that waits"
    assert rows[0][1] == "unknown: no answer"
    assert {row[1] for row in rows[1:]} == {"unknown: no receipt yet"}


@pytest.mark.parametrize("kind", list(FileKind))
async def test_the_uploaders_order_and_columns_are_kept(marketing: Marketing, kind: FileKind, tmp_path: Path) -> None:
    marketing.carrier.will(refuse(FIRST_NUMBER, FIRST_NUMBER + 2))
    task = marketing.a_confirmed_task(3)
    await marketing.send_all()
    from_a_file(marketing, task, [(9, {"city": "上海"}), (3, None), (4, {"name": 'O"Hara, =1+1', "city": "+86"})])
    header, *rows = read(marketing, task, Which.ALL, kind, tmp_path)
    assert header[6:] == ["city", "name"]
    assert [int(row[0].lstrip("+")) - FIRST_NUMBER for row in rows] == [1, 2, 0]
    plus = "'+86" if kind is FileKind.CSV else "+86"
    assert [row[6:] for row in rows] == [["", ""], [plus, 'O"Hara, =1+1'], ["上海", ""]]
    assert [row[6:] for row in read(marketing, task, Which.FAILED, kind, tmp_path)[1:]] == [
        [plus, 'O"Hara, =1+1'],
        ["上海", ""],
    ]


async def test_a_deleted_task_still_gives_its_files(marketing: Marketing, tmp_path: Path) -> None:
    task = marketing.a_confirmed_task(2)
    await marketing.send_all()
    gone = marketing.changes.delete(marketing.workspace_id, task.number, ANA)
    assert len(read(marketing, gone, Which.ALL, FileKind.CSV, tmp_path)) == 3


def test_an_empty_file_has_its_header(marketing: Marketing, tmp_path: Path) -> None:
    task = marketing.a_confirmed_task(1)
    assert read(marketing, task, Which.FAILED, FileKind.CSV, tmp_path) == [HEADER]


def test_what_goes_wrong_in_the_process_is_told(marketing: Marketing, tmp_path: Path) -> None:
    task = marketing.a_confirmed_task(1)
    with pytest.raises(RuntimeError, match="No such file"):
        TaskFiles(marketing.database).write(task, Which.ALL, FileKind.CSV, tmp_path / "nowhere" / "file.csv")


def test_a_database_in_the_folder_the_bot_was_started_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database("sqlite:///sms.db")
    database.migrate()
    marketing = Marketing(database)
    assert len(read(marketing, marketing.a_confirmed_task(2), Which.ALL, FileKind.CSV, tmp_path)) == 3
    database.close()
