"""What an import leaves in the database beside its counts: other columns, what was hidden, and how far it is told."""

import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select

from services.imports import Progress
from services.models import group_member
from services.spreadsheets.template import write_template
from services.states import ImportState
from tests.services.builders import WORKSPACE, Marketing
from tests.services.files import a_csv, an_xlsx


def attributes(marketing: Marketing) -> dict[int, Any]:
    with marketing.database.read(everyone=True) as connection:
        rows = connection.execute(select(group_member.c.number, group_member.c.attributes))
        return {number: None if text is None else json.loads(text) for number, text in rows}


def test_the_import_that_first_brings_a_number_owns_its_other_columns(marketing: Marketing, tmp_path: Path) -> None:
    group = marketing.a_group("vip")
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text("手机号,姓名,订单\n13800000001,王伟,A-1\n13800000002,,\n", "utf-8")
    second.write_text("Mobile,Name\n13800000001,Somebody else\n13800000003,Ana\n", "utf-8")
    marketing.imported(first, group)
    marketing.imported(second, group)
    assert attributes(marketing) == {
        8613800000001: {"姓名": "王伟", "订单": "A-1"},
        8613800000002: None,
        8613800000003: {"Name": "Ana"},
    }


def test_what_is_hidden_is_left_out_and_counted(marketing: Marketing, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in (("Mobile", "Secret"), *((f"1380000000{no}", f"s{no}") for no in range(5))):
        sheet.append(row)
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["B"].hidden = True
    old = book.create_sheet("Old")
    old.append(["Mobile"])
    old.append(["13900000000"])
    old.sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    done = marketing.imported(tmp_path / "a.xlsx", marketing.a_group("vip"))
    assert (done.imported, done.rows) == (4, 4)
    assert (done.hidden_rows, done.hidden_columns, done.hidden_sheets) == (1, 1, 1)
    assert set(attributes(marketing).values()) == {None}


def test_a_sheet_without_numbers_is_named_and_in_no_count(marketing: Marketing, tmp_path: Path) -> None:
    sheets = {"Mainland": ["13800000001"], "HK": ["9123 4567 ext 1", "9234 5678 (wife)", "9345 6789 office"]}
    path = an_xlsx(tmp_path / "a.xlsx", sheets, {"HK": "Reach at"})
    done = marketing.imported(path, marketing.a_group("vip"))
    assert (done.rows, done.imported, done.numberless_sheets) == (1, 1, ("HK",))


def test_a_formula_that_failed_is_listed_as_the_file_shows_it(marketing: Marketing, tmp_path: Path) -> None:
    path = an_xlsx(tmp_path / "a.xlsx", {"S": ["13800000001", "#N/A", "13800000002"]})
    done = marketing.imported(path, marketing.a_group("vip"))
    assert (done.rows, done.imported, done.invalid) == (3, 2, 1)
    assert [(each.row, each.original, each.reason) for each in marketing.imports.rejects(WORKSPACE, done.id)] == [
        (3, "#N/A", "not_a_number")
    ]


def test_progress_tells_what_is_read_and_then_what_is_stored(marketing: Marketing, tmp_path: Path) -> None:
    path = a_csv(tmp_path / "a.csv", [str(13800000000 + no) for no in range(250)])
    told: list[Progress] = []
    running = marketing.an_import(path, marketing.a_group("vip"))
    done = marketing.imports.run(running, path, told.append)
    assert done.state is ImportState.DONE
    assert told[0] == Progress(0, 0.0)
    assert [each for each in told if each.to_store] == [Progress(250, 1.0, 0, 250), Progress(250, 1.0, 250, 250)]
    assert [each.rows for each in told] == sorted(each.rows for each in told)


def test_a_large_file_is_stored_in_parts(marketing: Marketing, tmp_path: Path) -> None:
    numbers = [13800000000 + no * 7919 % 300_000 for no in range(300_000)]
    path = tmp_path / "large.csv"
    path.write_text("mobile\n" + "\n".join(map(str, [*numbers, *numbers[:500]])), "utf-8")
    told: list[Progress] = []
    running = marketing.an_import(path, marketing.a_group("vip", [8613800000000]))
    done = marketing.imports.run(running, path, told.append)
    assert (done.imported, done.already_in_group, done.duplicates) == (299_999, 1, 500)
    stored = [each.stored for each in told if each.to_store]
    assert stored == sorted(stored)
    assert len(stored) > 3


def test_a_file_of_nothing_but_mistakes_is_noted_in_pieces(
    marketing: Marketing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.import_run._REJECTS_AT_ONCE", 100)
    path = a_csv(tmp_path / "a.csv", ["13800000001", *(f"wrong {no}" for no in range(700))])
    done = marketing.imported(path, marketing.a_group("vip"))
    assert [reject.original for reject in marketing.imports.rejects(marketing.workspace_id, done.id)] == [
        f"wrong {no}" for no in range(700)
    ]
    assert (done.imported, done.invalid) == (1, 700)


@pytest.mark.parametrize("locale", ["en-US", "zh-CN", "zh_TW", ""])
def test_the_template_reads_back_without_loss(marketing: Marketing, tmp_path: Path, locale: str) -> None:
    path = tmp_path / "template.xlsx"
    write_template(path, locale)
    book = openpyxl.load_workbook(path)
    (sheet,) = book.worksheets
    filled = [("13800000001", "007"), ("+85261234567", "=1+1"), ("8613800000003", "三")]
    first_row = sheet.max_row - 499
    for row, (number, name) in enumerate(filled, start=first_row):
        assert sheet.cell(row, 1).value is None
        assert sheet.cell(row, 1).number_format == "@"
        for column, value in ((1, number), (2, name)):
            sheet.cell(row, column).value = value
            sheet.cell(row, column).data_type = "s"
    book.save(path)
    done = marketing.imported(path, marketing.a_group("vip"))
    header = str(sheet.cell(first_row - 1, 2).value)
    assert (done.rows, done.imported) == (3, 3)
    assert attributes(marketing) == {
        8613800000001: {header: "007"},
        85261234567: {header: "=1+1"},
        8613800000003: {header: "三"},
    }


def test_a_template_that_nobody_filled_in_imports_nothing(marketing: Marketing, tmp_path: Path) -> None:
    path = tmp_path / "template.xlsx"
    write_template(path, "en-US")
    failed = marketing.imported(path, marketing.a_group("vip"))
    assert (failed.state, failed.failure, failed.rows) == (ImportState.FAILED, "empty", 0)
