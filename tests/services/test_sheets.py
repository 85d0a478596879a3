"""A workbook of several sheets: files keep the order of all its rows, and a row is called what its sheet calls it."""

import csv
from pathlib import Path

import pytest
from openpyxl import Workbook

from services.group_exports import GroupExports
from services.imports import Import, Imports, UploadedFile
from services.pool import Pool
from services.states import Source
from services.task_files import FileKind, TaskFiles, Which
from services.task_reports import Task
from tests.services.audiences import asked
from tests.services.builders import ANA, CHANNEL, Marketing

# Row 2, 3, … of each sheet: numbers, and who they are. The third has one that is set aside, and one without a name.
SHEETS = {
    "Rome": [("13800000004", "Ana"), ("13800000001", "Ben")],
    "Notes": [],
    "Oslo": [("13800000003", "Cy")],
    "Bonn": [("12012345678", "Dan"), ("13800000005", "Eve"), ("13800000002", "")],
}
IN_ORDER = [13800000004, 13800000001, 13800000003, 13800000005, 13800000002]
UNASSIGNED = 12012345678


@pytest.fixture
def path(tmp_path: Path) -> Path:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in SHEETS.items():
        sheet = book.create_sheet(name)
        for row in (("Mobile", "Name"), *rows) if rows else ():
            sheet.append(row)
    book.save(tmp_path / "cities.xlsx")
    return tmp_path / "cities.xlsx"


def for_one_send(marketing: Marketing, path: Path) -> Import:
    imports: Imports = marketing.imports
    file = UploadedFile("F1", path.name, path.stat().st_size, "https://files.example.com/1", CHANNEL, "171.01")
    dropped = imports.receive(marketing.workspace_id, file, ANA)
    assert dropped is not None
    return imports.run(imports.begin_for_send(marketing.workspace_id, dropped.id), path, lambda progress: None)


def in_file(marketing: Marketing, task: Task, folder: Path) -> list[int]:
    TaskFiles(marketing.database).write(task, Which.ALL, FileKind.CSV, folder / "file.csv")
    with (folder / "file.csv").open(encoding="utf-8-sig", newline="") as file:
        return [int(row[0].removeprefix("86")) for row in [*csv.reader(file)][1:]]


def test_the_numbers_of_a_group_come_in_the_order_of_the_sheets(
    marketing: Marketing, path: Path, tmp_path: Path
) -> None:
    marketing.imported(path, marketing.a_group("vip"))
    assert in_file(marketing, marketing.confirmed(marketing.a_draft()), tmp_path) == IN_ORDER


def test_those_of_a_file_for_one_send_too(marketing: Marketing, path: Path, tmp_path: Path) -> None:
    file = for_one_send(marketing, path)
    task = marketing.confirmed(asked(marketing, source=Source.FILE, import_id=file.id))
    assert in_file(marketing, task, tmp_path) == IN_ORDER


@pytest.mark.parametrize("for_a_group", [True, False], ids=["group", "one send"])
def test_one_that_is_kept_has_its_place_among_them(
    marketing: Marketing, path: Path, tmp_path: Path, for_a_group: bool
) -> None:
    group = marketing.a_group("vip")
    done = marketing.imported(path, group) if for_a_group else for_one_send(marketing, path)
    marketing.imports.keep(marketing.workspace_id, done.id)
    shown = marketing.a_draft() if for_a_group else asked(marketing, source=Source.FILE, import_id=done.id)
    assert in_file(marketing, marketing.confirmed(shown), tmp_path) == [*IN_ORDER[:3], UNASSIGNED, *IN_ORDER[3:]]
    found = Pool(marketing.database).find(marketing.workspace_id, int(f"86{UNASSIGNED}"))
    assert [each.row for each in found.groups] == ([2] if for_a_group else [])


def test_each_row_is_called_as_in_its_own_sheet(marketing: Marketing, path: Path) -> None:
    group = marketing.a_group("vip")
    marketing.imported(path, group)
    rows = {86_138_0000_0001: 3, 86_138_0000_0002: 4, 86_138_0000_0003: 2, 86_138_0000_0004: 2, 86_138_0000_0005: 3}
    pool = Pool(marketing.database)
    for number, row in rows.items():
        (found,) = pool.find(marketing.workspace_id, number).groups
        assert (found.file, found.row) == ("cities.xlsx", row)
    exported = GroupExports(marketing.database).rows(marketing.workspace_id, group.id, [])
    assert {each.number: each.row for each in exported} == rows


def test_a_row_without_values_is_called_so_too(marketing: Marketing, path: Path) -> None:
    marketing.imported(path, marketing.a_group("vip"))
    (missing,) = marketing.a_draft(template="personal").missing_rows
    assert (missing.number, missing.row) == (86_138_0000_0002, 4)
