"""Files are read back by openpyxl, which shows what a cell is, and by calamine, another program's eyes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from services.spreadsheets import writer
from services.spreadsheets.reader import read_numbers
from services.spreadsheets.writer import Reject, write_rejects, write_table


def sheet_of(path: Path) -> Any:
    return openpyxl.load_workbook(path).worksheets[0]


@pytest.mark.parametrize(
    "text",
    [
        *("+8613812345678", "=1+1", '=HYPERLINK("http://x","y")', "@SUM(1)", "-1", "\t=1", "\r=1", "'138"),
        *("#N/A", "TRUE", "007", "13812345678901234567", "1.38E+10", "2026-05-01", "50%"),
        *(" spaces ", "a\nb", "<b>&amp;</b>", "李 𠀀", "]]>", '"'),
    ],
)
def test_any_text_stays_the_text_it_is(tmp_path: Path, text: str) -> None:
    write_table(tmp_path / "a.xlsx", "T", ["x", "=y"], [[text, text]], text_columns=[0])
    sheet = sheet_of(tmp_path / "a.xlsx")
    for cell in (sheet["A2"], sheet["B2"]):
        assert (cell.value, cell.data_type) == (text, "s")
    assert b"<f>" not in ZipFile(tmp_path / "a.xlsx").read("xl/worksheets/sheet1.xml")
    rows = CalamineWorkbook.from_path(tmp_path / "a.xlsx").get_sheet_by_index(0).to_python()
    assert rows == [["x", "=y"], [text, text]]


def test_text_columns_are_formatted_as_text_and_others_are_not(tmp_path: Path) -> None:
    write_table(tmp_path / "a.xlsx", "T", ["Number", "Row"], [["+8613812345678", 7]], text_columns=[0])
    sheet = sheet_of(tmp_path / "a.xlsx")
    assert (sheet["A2"].number_format, sheet["A2"].data_type) == ("@", "s")
    assert (sheet["B2"].number_format, sheet["B2"].data_type, sheet["B2"].value) == ("General", "n", 7)
    assert sheet.column_dimensions["A"].number_format == "@"


def test_a_number_keeps_every_digit(tmp_path: Path) -> None:
    write_table(tmp_path / "a.xlsx", "T", ["a", "b", "c"], [[13812345678, 12345678901234567, 0.5]], text_columns=[0])
    sheet = sheet_of(tmp_path / "a.xlsx")
    assert [cell.value for cell in sheet[2]] == ["13812345678", "12345678901234567", 0.5]


def test_what_xml_forbids_is_left_out(tmp_path: Path) -> None:
    write_table(tmp_path / "a.xlsx", "a/b:c", ["x"], [["a\x00b\x1f\ud800\ufffec"], [None], [""], ["x" * 40_000]])
    sheet = sheet_of(tmp_path / "a.xlsx")
    assert sheet.title == "a b c"
    assert [row[0].value for row in sheet.iter_rows()] == ["x", "abc", None, None, "x" * 32_767]


def test_the_header_is_bold_frozen_and_filtered(tmp_path: Path) -> None:
    assert write_table(tmp_path / "a.xlsx", "T", ["a", "b"], [["1", "2"]] * 3, widths=[30, 10]) == 3
    sheet = sheet_of(tmp_path / "a.xlsx")
    assert (sheet["A1"].font.b, sheet["A2"].font.b) == (True, False)
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:B4")
    assert sheet.column_dimensions["A"].width == 30


def test_a_table_without_rows_is_a_header(tmp_path: Path) -> None:
    assert write_table(tmp_path / "a.xlsx", "T", ["a"], []) == 0
    assert [[cell.value for cell in row] for row in sheet_of(tmp_path / "a.xlsx")] == [["a"]]


@pytest.mark.parametrize(("rows", "sheets"), [(2, [2]), (3, [2, 1]), (4, [2, 2]), (7, [2, 2, 2, 1])])
def test_rows_that_do_not_fit_continue_on_further_sheets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, sheets: list[int]
) -> None:
    monkeypatch.setattr(writer, "SHEET_ROWS", 3)
    assert write_table(tmp_path / "a.xlsx", "T", ["n"], ([n] for n in range(rows))) == rows
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert [sheet.max_row - 1 for sheet in book.worksheets] == sheets
    assert book.sheetnames == ["T", "T 2", "T 3", "T 4"][: len(sheets)]
    assert [row[0] for sheet in book.worksheets for row in sheet.iter_rows(min_row=2, values_only=True)] == list(
        range(rows)
    )


def test_a_long_table_is_read_whole_also_by_who_trusts_dimensions(tmp_path: Path) -> None:
    write_table(tmp_path / "a.xlsx", "T", ["n"], ([n] for n in range(5_000)))
    book = openpyxl.load_workbook(tmp_path / "a.xlsx", read_only=True)
    assert sum(1 for _ in book.worksheets[0].iter_rows()) == 5_001
    book.close()


def test_a_reject_file_says_where_what_why_and_what_instead(tmp_path: Path) -> None:
    rejects = [Reject("客户", 17, "=138", "Too short"), Reject("客户", 18, "138/139", "Two numbers", "+8613812345678")]
    assert write_rejects(tmp_path / "a.xlsx", rejects) == 2
    assert list(sheet_of(tmp_path / "a.xlsx").iter_rows(values_only=True)) == [
        ("Sheet", "Row", "Original value", "Reason", "Suggestion"),
        ("客户", 17, "=138", "Too short", None),
        ("客户", 18, "138/139", "Two numbers", "+8613812345678"),
    ]
    write_rejects(tmp_path / "b.xlsx", rejects, with_sheet=False)
    assert [cell.value for cell in sheet_of(tmp_path / "b.xlsx")[2]] == [17, "=138", "Too short", None]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1).filter(str.strip), min_size=1)
)
def test_what_is_written_reads_back(tmp_path: Path, texts: list[str]) -> None:
    write_table(tmp_path / "a.xlsx", "T", ["x"], [[text] for text in texts])
    data = io.BytesIO((tmp_path / "a.xlsx").read_bytes())
    rows = CalamineWorkbook.from_filelike(data).get_sheet_by_index(0).to_python()
    assert [row[0] for row in rows[1:]] == texts


def test_our_reader_reads_what_our_writer_wrote(tmp_path: Path) -> None:
    numbers = ["+8613812345678", "+85260000000"]
    write_table(tmp_path / "a.xlsx", "T", ["Number", "Why"], [[number, "x"] for number in numbers], text_columns=[0])
    assert [cell for chunk in read_numbers(tmp_path / "a.xlsx") for cell in chunk.cells] == numbers
