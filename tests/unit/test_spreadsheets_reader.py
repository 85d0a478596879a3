"""Real files, read by the real child process."""

from __future__ import annotations

import gc
import os
import struct
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from time import monotonic

import openpyxl
import pytest

from services.errors import BadFile
from services.spreadsheets import reader
from services.spreadsheets.reader import ChooseColumn, Chunk, read_numbers

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"

Rows = Sequence[Sequence[object]]


def workbook(path: Path, **sheets: Rows) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def raw_workbook(path: Path, sheet_xml: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", f'<Types xmlns="{PACKAGE}/content-types"/>')
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets>'
            f"</workbook>",
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{OFFICE}/worksheet" '
            f'Target="worksheets/sheet1.xml"/></Relationships>',
        )
        book.writestr("xl/worksheets/sheet1.xml", sheet_xml)
    return path


def ole(path: Path, *streams: str) -> Path:
    """A compound file ([MS-CFB] 2.2, 2.6) with a FAT sector and a directory that lists these streams, all empty."""
    header = bytearray(512)
    header[:8] = bytes.fromhex("D0CF11E0A1B11AE1")
    header[24:34] = struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6)
    header[44:76] = struct.pack("<8I", 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header[76:] = struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    fat = struct.pack("<128I", 0xFFFFFFFD, 0xFFFFFFFE, *[0xFFFFFFFF] * 126)
    directory = b"".join(_ole_entry(name, no) for no, name in enumerate(("Root Entry", *streams)))
    path.write_bytes(header + fat + directory.ljust(512, b"\0"))
    return path


def _ole_entry(name: str, no: int) -> bytes:
    encoded = name.encode("utf-16-le")
    links = struct.pack("<3I", 0xFFFFFFFF, 0xFFFFFFFF, 1 if no == 0 else 0xFFFFFFFF)
    entry = encoded.ljust(64, b"\0") + struct.pack("<HBB", len(encoded) + 2, 5 if no == 0 else 2, 1) + links
    return entry.ljust(116, b"\0") + struct.pack("<IQ", 0xFFFFFFFE, 0)


def cells(path: Path, *chosen: str) -> list[tuple[str, int, str]]:
    """Every (sheet, row, cell) that the reader yields."""
    return [
        (chunk.sheet.name, row, cell)
        for chunk in read_numbers(path, chosen=chosen)
        for row, cell in zip(chunk.rows, chunk.cells, strict=True)
    ]


def numbers(path: Path, *chosen: str) -> list[str]:
    return [cell for _, _, cell in cells(path, *chosen)]


def refusal(path: Path) -> BadFile:
    with pytest.raises(BadFile) as caught:
        list(read_numbers(path))
    return caught.value


class TestLayout:
    def test_rows_are_numbered_as_the_spreadsheet_shows_them(self, tmp_path: Path) -> None:
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        sheet.title = "客户"
        for place, value in {"C4": "手机号", "C5": "13812345678", "C8": "13812345679"}.items():
            sheet[place] = value
        book.save(tmp_path / "a.xlsx")
        assert cells(tmp_path / "a.xlsx") == [("客户", 5, "13812345678"), ("客户", 8, "13812345679")]

    def test_every_visible_sheet_is_read_and_the_others_are_named(self, tmp_path: Path) -> None:
        path = workbook(
            tmp_path / "a.xlsx",
            one=[["mobile"], ["13812345678"]],
            notes=[["Bring cake"], ["and tea"]],
            nothing=[],
            secret=[["mobile"], ["13900000000"]],
            two=[["Name", "Tel."], ["Li", 13812345679]],
        )
        book = openpyxl.load_workbook(path)
        book["secret"].sheet_state = "hidden"
        book.save(path)
        chunks = list(read_numbers(path))
        assert [(c.sheet.name, c.sheet.skipped) for c in chunks if not c.rows] == [
            ("one", ""),
            ("notes", "no_number_column"),
            ("nothing", "empty"),
            ("secret", "hidden"),
            ("two", ""),
        ]
        assert cells(path) == [("one", 2, "13812345678"), ("two", 2, "13812345679")]
        assert chunks[-1].done == 1

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param(header, id=header)
            for header in (
                *("mobile", "Mobile Number", "PHONE", "phone_no", "Tel", "Telephone", "Number", "MSISDN", "Cell Phone"),
                *("手机", "手机号", "手机号码", "客户手机号", "电话", "联系电话", "手机号（必填）", "p h o n e"),
                *("Customer mobile no. 1", "收货人联系电话"),
            )
        ],
    )
    def test_the_column_is_found_by_name(self, tmp_path: Path, header: str) -> None:
        rows = [["Card", header], ["6222020200112345", "0755-26001234"], ["6222020200112346", "n/a"]]
        path = workbook(tmp_path / "a.xlsx", s=rows)
        assert cells(path) == [("s", 2, "0755-26001234"), ("s", 3, "n/a")]

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            pytest.param(
                [["13812345678", "Li"], ["13812345679", "Wang"]],
                [(1, "13812345678"), (2, "13812345679")],
                id="no header",
            ),
            pytest.param(
                [["VIP customers 2026"], [], ["Name", "手机号"], ["Li", "13812345678"]],
                [(4, "13812345678")],
                id="title above",
            ),
            pytest.param(
                [["手机号名单"], ["姓名", "手机号"], ["Li", "13812345678"]],
                [(3, "13812345678")],
                id="title like a header",
            ),
            pytest.param(
                [["Who", "Reach them at"], ["Li", "13812345678"]], [(2, "13812345678")], id="unknown header, by content"
            ),
            pytest.param(
                [["List of May"], ["13812345678"], ["n/a"], ["13812345679"]],
                [(2, "13812345678"), (3, "n/a"), (4, "13812345679")],
                id="title, no header",
            ),
            pytest.param(
                [["Customers"], ["Who", "Reach at"], ["Li", "n/a"], ["Wu", "13812345678"], ["Yu", "13812345679"]],
                [(3, "n/a"), (4, "13812345678"), (5, "13812345679")],
                id="unknown header, first customer without number",
            ),
            pytest.param(
                [["Li", ""], ["Wang", "13812345678"]], [(1, ""), (2, "13812345678")], id="first row lacks a number"
            ),
            pytest.param(
                [["number", "mobile"], [1, "13812345678"], [2, "x"]], [(2, "13812345678"), (3, "x")], id="serial number"
            ),
            pytest.param(
                [["phone model", "contact"], ["P60", "13812345678"]], [(2, "13812345678")], id="misleading name"
            ),
            pytest.param(
                [["order", "day", "to"], [20260001, "2026-05-01", "13812345678"]], [(2, "13812345678")], id="lookalikes"
            ),
            pytest.param(
                [["name", "mobile"], ["a", "x"], ["b", "y"]], [(2, "x"), (3, "y")], id="named, nothing valid in it"
            ),
            pytest.param(
                [["Li", "13812345678", "tea"], ["Wu", "13812345679", "手机"], ["Yu", "", "Phone case"]],
                [(1, "13812345678"), (2, "13812345679"), (3, "")],
                id="data that read like a header",
            ),
            pytest.param(
                [["Hotline", "13800138000"], ["Name", "Mobile"], ["Li", "13812345678"]],
                [(3, "13812345678")],
                id="hotline above the header",
            ),
            pytest.param(
                [["13812345678"], ["13812345679"], ["phone"], ["13812345670"]],
                [(1, "13812345678"), (2, "13812345679"), (3, "phone"), (4, "13812345670")],
                id="a second list below the first",
            ),
            pytest.param(
                [*[["85261234567"]] * 4, ["phone"], *[["85261234568"]] * 4],
                [
                    *((no, "85261234567") for no in range(1, 5)),
                    (5, "phone"),
                    *((no, "85261234568") for no in range(6, 10)),
                ],
                id="a second list of numbers that are less sure",
            ),
            pytest.param(
                [["Ana", "13812345678"], ["Ben", "13812345679"], ["phone", "name"], ["13812345670", "Cem"]],
                [(1, "13812345678"), (2, "13812345679"), (3, "name"), (4, "Cem")],
                id="a second list with its columns the other way round",
            ),
            pytest.param(
                [["13812345678", "Ana"], ["n/a", "phone"], ["13812345679", "Ben"]],
                [(1, "13812345678"), (2, "n/a"), (3, "13812345679")],
                id="somebody who wrote phone",
            ),
            pytest.param(
                [["n/a", "13812345678", "Li"], ["13912345679", "13812345679", "Wu"]],
                [(1, "13812345678"), (2, "13812345679")],
                id="a first customer with one number of two",
            ),
            pytest.param(
                [["mobile", "phone"], ["", "13812345678"], ["13812345670", "13812345679"]],
                [(2, ""), (3, "13812345670")],
                id="two good columns: the left one",
            ),
            pytest.param(
                [["name", "mobile"], ["a", ""], ["", ""], [" ", None], ["b", "13812345678"]],
                [(2, ""), (5, "13812345678")],
                id="a blank row is none, a row without number is one",
            ),
        ],
    )
    def test_header_and_column_are_found(self, tmp_path: Path, rows: Rows, expected: list[tuple[int, str]]) -> None:
        path = workbook(tmp_path / "a.xlsx", s=rows)
        assert [(row, cell) for _, row, cell in cells(path)] == expected

    def test_a_header_is_looked_for_in_the_first_twenty_rows_only(self, tmp_path: Path) -> None:
        rows = [[f"note {no}", "x"] for no in range(19)]
        path = workbook(tmp_path / "a.xlsx", s=[*rows, ["name", "mobile"], ["Li", "13812345678"]])
        assert cells(path) == [("s", 21, "13812345678")]

    def test_candidates_are_told_with_samples_and_a_choice_among_them_is_followed(self, tmp_path: Path) -> None:
        rows = [["Name", "Mobile", "Phone"], ["Li", "13812345678", "13912345678"], ["Wu", "13812345679", "13912345679"]]
        path = workbook(tmp_path / "a.xlsx", s=rows)
        candidates = next(read_numbers(path)).sheet.candidates
        assert [(c.letter, c.header, c.samples) for c in candidates] == [
            ("B", "Mobile", ("13812345678", "13812345679")),
            ("C", "Phone", ("13912345678", "13912345679")),
        ]
        assert numbers(path, "phone") == ["13912345678", "13912345679"]

    def test_cells_keep_their_digits(self, tmp_path: Path) -> None:
        given = ["13812345678", 13812345678, 13812345678.0, 13812345678.5, "1.38E+10", "00123", True, " +86 138 "]
        path = workbook(tmp_path / "a.xlsx", s=[["mobile"], *([value] for value in given)])
        digits = ["13812345678"] * 3
        assert numbers(path) == [*digits, "13812345678.5", "1.38E+10", "00123", "TRUE", " +86 138 "]

    def test_a_cell_of_any_text_arrives_as_it_is(self, tmp_path: Path) -> None:
        given = ["13812345678", "138\n139", "a,b", "𠀀", '"', "x\u2028y"]
        path = workbook(tmp_path / "a.xlsx", s=[["mobile"], *([value] for value in given)])
        assert numbers(path) == given

    @pytest.mark.parametrize("blank", [0, 1, 219, 500, 12_000])
    def test_data_may_begin_anywhere(self, tmp_path: Path, blank: int) -> None:
        rows = [f"138{no:08d}" for no in range(500)]
        path = tmp_path / "a.csv"
        path.write_text("\n" * blank + "name,mobile\n\n" + "".join(f"x,{row}\n" for row in rows))
        assert cells(path) == [("", no, row) for no, row in enumerate(rows, start=blank + 3)]

    def test_more_rows_than_a_chunk_arrive_in_order(self, tmp_path: Path) -> None:
        rows = [f"138{no:08d}" for no in range(25_000)]
        path = tmp_path / "a.csv"
        path.write_text("mobile\n" + "\n".join(rows))
        chunks = [chunk for chunk in read_numbers(path) if chunk.rows]
        assert [cell for chunk in chunks for cell in chunk.cells] == rows
        assert [row for chunk in chunks for row in chunk.rows] == list(range(2, 25_002))
        assert [chunk.done for chunk in chunks] == sorted(chunk.done for chunk in chunks)


class TestAttributes:
    def test_other_columns_come_with_each_row_as_a_person_sees_them(self, tmp_path: Path) -> None:
        rows: Rows = [
            ["Name", "手机号", "Joined", "Points", None, "name", "Gone"],
            ["Li", 13812345678, date(2026, 5, 1), 7.0, None, " x ", None],
            ["Wu", "13812345679", datetime.fromisoformat("2026-05-01 09:30"), 0.1 + 0.2, None, None, None],
            [None, None, None, None, None, None, None],
            ["Yu", "n/a", time(9, 30), True, None, timedelta(hours=26), None],
        ]
        path = workbook(tmp_path / "a.xlsx", s=rows)
        first, *chunks = read_numbers(path, with_attributes=True)
        assert first.sheet.attribute_names == ("Name", "Joined", "Points", "name 2", "Gone")
        assert [
            (row, cell, values)
            for chunk in chunks
            for row, cell, values in zip(chunk.rows, chunk.cells, chunk.attributes or (), strict=True)
        ] == [
            (2, "13812345678", ("Li", "2026-05-01", "7", "x", "")),
            (3, "13812345679", ("Wu", "2026-05-01 09:30", "0.3", "", "")),
            (5, "n/a", ("Yu", "09:30", "TRUE", "26:00", "")),
        ]

    def test_without_a_header_a_column_is_called_by_its_letter(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("Li,13812345678,,x\nWu,13812345679,,\n")
        first, second = read_numbers(tmp_path / "a.csv", with_attributes=True)
        assert first.sheet.attribute_names == ("A", "D")
        assert second.attributes == [("Li", "x"), ("Wu", "")]

    def test_a_list_of_numbers_alone_has_none(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("mobile\n138\n139\n")
        first, second = read_numbers(tmp_path / "a.csv", with_attributes=True)
        assert (first.sheet.attribute_names, second.attributes) == ((), [(), ()])
        assert [chunk.attributes for chunk in read_numbers(tmp_path / "a.csv")] == [None, None]

    def test_sixteen_thousand_columns_give_the_first_hundred(self, tmp_path: Path) -> None:
        wide = ",".join(f"c{no}" for no in range(1, 16_384))
        (tmp_path / "a.csv").write_text(f"mobile,{wide}\n" + f"13812345678,{wide}\n" * 9)
        first, *chunks = read_numbers(tmp_path / "a.csv", with_attributes=True)
        assert first.sheet.attribute_names == tuple(f"c{no}" for no in range(1, 101))
        assert [values for chunk in chunks for values in chunk.attributes or ()] == [first.sheet.attribute_names] * 9

    def test_long_texts_in_many_columns_fit_a_frame(self, tmp_path: Path) -> None:
        row = ",".join(["号" * 700] * 100)
        (tmp_path / "a.csv").write_text("mobile\n" + f"13812345678,{row}\n" * 130)
        rows = [
            values
            for chunk in read_numbers(tmp_path / "a.csv", with_attributes=True)
            for values in chunk.attributes or ()
        ]
        assert rows == [("号" * 500,) * 100] * 130


class TestHidden:
    SAYS = ("", ' hidden="1"')

    @pytest.mark.parametrize("rows", [13_000, 40_000], ids=["read by calamine", "streamed"])
    def test_hidden_rows_and_columns_are_left_out_and_counted(self, tmp_path: Path, rows: int) -> None:
        hidden = {3, 300, *range(12_000, 12_500), rows}
        xml = "".join(
            f'<row r="{no}"{self.SAYS[no in hidden]}><c r="A{no}"><v>{13800000000 + no}</v></c>'
            f'<c r="B{no}"><v>1</v></c><c r="C{no}" t="inlineStr"><is><t>x</t></is></c></row>'
            for no in range(1, rows + 1)
        )
        cols = '<cols><col min="2" max="2" hidden="1"/><col min="9" max="9" hidden="1"/></cols>'
        end = f'<row r="{rows + 50}" hidden="1"/></sheetData></worksheet>'
        path = raw_workbook(tmp_path / "a.xlsx", f'<worksheet xmlns="{MAIN}">{cols}<sheetData>{xml}{end}')
        chunks = list(read_numbers(path, with_attributes=True))
        assert sum(chunk.hidden_rows for chunk in chunks) == len(hidden)
        expected = [no for no in range(1, rows + 1) if no not in hidden]
        assert [row for chunk in chunks for row in chunk.rows] == expected
        assert [cell for chunk in chunks for cell in chunk.cells] == [str(13800000000 + no) for no in expected]
        assert (chunks[0].sheet.attribute_names, chunks[0].sheet.hidden_columns) == (("C",), 1)

    def test_a_sheet_whose_rows_are_all_hidden_is_called_hidden(self, tmp_path: Path) -> None:
        path = workbook(tmp_path / "a.xlsx", a=[["mobile"], ["13812345678"]], b=[["mobile"], ["13812345678"]])
        book = openpyxl.load_workbook(path)
        for row in (1, 2):
            book["a"].row_dimensions[row].hidden = True
        book.save(path)
        chunks = list(read_numbers(path))
        assert [(chunk.sheet.name, chunk.sheet.skipped, chunk.hidden_rows) for chunk in chunks] == [
            ("a", "hidden", 2),
            ("b", "", 0),
            ("b", "", 0),
        ]

    @pytest.mark.parametrize("rows", [(1, 2), (2,)], ids=["all rows", "all but the header"])
    def test_a_file_with_everything_hidden_is_not_called_empty(self, tmp_path: Path, rows: Sequence[int]) -> None:
        path = workbook(tmp_path / "a.xlsx", a=[["mobile"], ["13812345678"]], b=[], c=[["mobile"], ["13812345678"]])
        book = openpyxl.load_workbook(path)
        for row in rows:
            book["a"].row_dimensions[row].hidden = True
        book["c"].sheet_state = "hidden"
        book.save(path)
        assert refusal(path).why == "all_hidden"


class TestFormulasThatFailed:
    @pytest.mark.parametrize("rows", [400, 60_000], ids=["read by calamine", "streamed"])
    def test_they_are_read_as_they_are_shown_but_are_nobodys_name(self, tmp_path: Path, rows: int) -> None:
        failed = '<c r="{}{}" t="e"><f>VLOOKUP(1)</f><v>#N/A</v></c>'

        def row(no: int) -> str:
            number, name = f'<c r="B{no}"><v>{13800000000 + no}</v></c>', f'<c r="C{no}" t="str"><v>Li</v></c>'
            match no % 100:
                case 10:
                    return failed.format("B", no) + name
                case 20:
                    return number + failed.format("C", no)
                case 30:
                    return failed.format("C", no)
                case _:
                    return number + name

        xml = "".join(f'<row r="{no}">{row(no)}</row>' for no in range(1, rows + 1))
        path = raw_workbook(tmp_path / "a.xlsx", f'<worksheet xmlns="{MAIN}"><sheetData>{xml}</sheetData></worksheet>')
        found = {
            number: (cell, *others)
            for chunk in read_numbers(path, with_attributes=True)
            for number, cell, others in zip(chunk.rows, chunk.cells, chunk.attributes or (), strict=True)
        }
        assert len(found) == rows
        assert [found[no] for no in (9, 110, 220, 330)] == [
            ("13800000009", "Li"),
            ("#N/A", "Li"),
            ("13800000220", ""),
            ("", ""),
        ]

    def test_a_column_of_numbers_may_be_mostly_failed_formulas(self, tmp_path: Path) -> None:
        path = workbook(tmp_path / "a.xlsx", s=[["13812345678"], *[["#N/A"]] * 9, ["#REF!"]])
        assert numbers(path) == ["13812345678", *["#N/A"] * 9, "#REF!"]


class TestChoice:
    ROWS = (("Name", "Mobile", "Phone"), ("Li", "13812345678", "13912345678"), ("Wu", "13812345679", "13912345679"))

    def test_with_several_good_columns_a_person_is_asked(self, tmp_path: Path) -> None:
        path = workbook(tmp_path / "a.xlsx", clear=[["mobile"], ["137"]], unclear=self.ROWS)
        with pytest.raises(ChooseColumn) as caught:
            list(read_numbers(path, ask=True))
        assert caught.value.sheet == "unclear"
        assert [(c.letter, c.choice, c.samples) for c in caught.value.candidates] == [
            ("B", "Mobile", ("13812345678", "13812345679")),
            ("C", "Phone", ("13912345678", "13912345679")),
        ]

    def test_a_choice_is_followed_where_it_can_be(self, tmp_path: Path) -> None:
        path = workbook(tmp_path / "a.xlsx", clear=[["mobile"], ["137"]], unclear=self.ROWS)
        chunks = read_numbers(path, ask=True, chosen=["Phone"])
        assert [cell for chunk in chunks for cell in chunk.cells] == ["137", "13912345678", "13912345679"]

    @pytest.mark.parametrize(
        ("header", "choices"),
        [
            (["Mobile", "mobile", "x"], ["$A", "$B"]),
            (["Phone B", "Phone A", "x"], ["Phone B", "Phone A"]),
            (None, ["$A", "$B"]),
        ],
        ids=["same name twice", "two names", "no header"],
    )
    def test_each_choice_gives_its_own_column(
        self, tmp_path: Path, header: list[str] | None, choices: list[str]
    ) -> None:
        data = [[f"138{no:08d}", f"139{no:08d}", "y"] for no in range(3)]
        path = workbook(tmp_path / "a.xlsx", s=[header, *data] if header else data)
        with pytest.raises(ChooseColumn) as caught:
            list(read_numbers(path, ask=True))
        assert [candidate.choice for candidate in caught.value.candidates] == choices
        assert [numbers(path, choice)[0][:3] for choice in choices] == ["138", "139"]

    def test_a_letter_is_followed_only_where_it_was_asked_for(self, tmp_path: Path) -> None:
        two = [[f"138{no:08d}", f"139{no:08d}"] for no in range(3)]
        orders = [["mobile", "order"], *([f"137{no:08d}", f"1760426{no:04d}"] for no in range(3))]
        path = workbook(tmp_path / "a.xlsx", unnamed=two, named=orders, again=two)
        found = [(chunk.sheet.name, cell[:3]) for chunk in read_numbers(path, chosen=["$B"]) for cell in chunk.cells]
        assert found == [("unnamed", "139")] * 3 + [("named", "137")] * 3 + [("again", "139")] * 3

    def test_a_sheet_without_the_chosen_column_asks_for_its_own(self, tmp_path: Path) -> None:
        data = [[f"138{no:08d}", f"139{no:08d}"] for no in range(3)]
        path = workbook(tmp_path / "a.xlsx", one=[["mobile", "phone"], *data], two=[["tel", "cell"], *data], three=data)
        chosen: list[str] = []
        asked = []
        for answer in ("phone", "tel", "$B"):
            with pytest.raises(ChooseColumn) as caught:
                list(read_numbers(path, ask=True, chosen=chosen))
            choices = [candidate.choice for candidate in caught.value.candidates]
            asked.append((caught.value.sheet, choices))
            chosen.append(answer)
        assert asked == [("one", ["mobile", "phone"]), ("two", ["tel", "cell"]), ("three", ["$A", "$B"])]
        cells = [cell[:3] for chunk in read_numbers(path, ask=True, chosen=chosen) for cell in chunk.cells]
        assert cells == ["139"] * 3 + ["138"] * 3 + ["139"] * 3

    def test_a_name_that_a_sheet_has_twice_is_asked_about(self, tmp_path: Path) -> None:
        data = [[f"138{no:08d}", f"139{no:08d}"] for no in range(3)]
        path = workbook(tmp_path / "a.xlsx", one=[["mobile", "phone"], *data], two=[["Mobile", "mobile"], *data])
        with pytest.raises(ChooseColumn) as caught:
            list(read_numbers(path, ask=True, chosen=["mobile"]))
        assert (caught.value.sheet, [each.choice for each in caught.value.candidates]) == ("two", ["$A", "$B"])

    def test_a_column_that_a_person_named_is_read_also_where_it_holds_little(self, tmp_path: Path) -> None:
        one = [["mobile", "phone"], *[[f"138{no:08d}", f"139{no:08d}"] for no in range(3)]]
        two = [["mobile", "phone"], ["13800000000", "n/a"], ["13800000001", ""]]
        path = workbook(tmp_path / "a.xlsx", one=one, two=two)
        assert [cell for sheet, _, cell in cells(path, "phone") if sheet == "two"] == ["n/a", ""]

    def test_a_choice_no_sheet_has_is_refused(self, tmp_path: Path) -> None:
        path = workbook(tmp_path / "a.xlsx", s=[["mobile"], ["13812345678"]])
        with pytest.raises(BadFile) as caught:
            list(read_numbers(path, chosen=["fax"]))
        assert caught.value.why == "no_number_column"

    def test_one_good_column_asks_nobody(self, tmp_path: Path) -> None:
        path = workbook(tmp_path / "a.xlsx", s=[["Mobile", "Phone"], ["13812345678", "n/a"], ["13812345679", "n/a"]])
        assert [cell for chunk in read_numbers(path, ask=True) for cell in chunk.cells] == [
            "13812345678",
            "13812345679",
        ]


class TestMerged:
    def test_a_header_of_two_rows_is_one_header(self, tmp_path: Path) -> None:
        path = workbook(
            tmp_path / "a.xlsx",
            s=[
                ["VIP customers"],
                ["姓名", "手机号", "地址", None],
                [None, None, "城市", "街道"],
                ["Li", "13812345678", "Xi'an", "x"],
            ],
        )
        book = openpyxl.load_workbook(path)
        for place in ("A1:D1", "A2:A3", "B2:B3", "C2:D2"):
            book.worksheets[0].merge_cells(place)
        book.save(path)
        first, second = read_numbers(path, with_attributes=True)
        assert first.sheet.attribute_names == ("姓名", "城市", "街道")
        assert (list(second.rows), second.cells, second.attributes) == (
            [4],
            ["13812345678"],
            [("Li", "Xi'an", "x")],
        )

    def test_a_merged_value_belongs_to_the_first_cell(self, tmp_path: Path) -> None:
        path = workbook(tmp_path / "a.xlsx", s=[["name", "mobile"], ["Li", "13812345678"], ["Wu", "x"]])
        book = openpyxl.load_workbook(path)
        book.worksheets[0].merge_cells("B2:B3")
        book.save(path)
        assert cells(path) == [("s", 2, "13812345678"), ("s", 3, "")]


class TestFormats:
    def test_the_extension_is_not_asked(self, tmp_path: Path) -> None:
        path = workbook(tmp_path / "a.xlsx", s=[["mobile"], ["13812345678"]])
        for name in ("a.csv", "a.xls", "a", "a.ods"):
            assert numbers(path.rename(tmp_path / name)) == ["13812345678"]
            path = tmp_path / name

    def test_a_workbook_with_macros_is_read(self, tmp_path: Path) -> None:
        plain = workbook(tmp_path / "a.xlsx", s=[["mobile"], ["13812345678"]])
        kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
        with zipfile.ZipFile(plain) as book, zipfile.ZipFile(tmp_path / "a.xlsm", "w") as made:
            for name in book.namelist():
                made.writestr(
                    name, book.read(name).replace(kind, b"application/vnd.ms-excel.sheet.macroEnabled.main+xml")
                )
            made.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0" + bytes(500))
        assert cells(tmp_path / "a.xlsm") == [("s", 2, "13812345678")]

    def test_an_ods_is_read(self, tmp_path: Path) -> None:
        row = "".join(
            f'<table:table-row><table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'
            f"</table:table-row>"
            for text in ("手机号", "13812345678")
        )
        names = " ".join(
            f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
        )
        with zipfile.ZipFile(tmp_path / "a.ods", "w") as book:
            book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            book.writestr("META-INF/manifest.xml", "<manifest/>")
            book.writestr(
                "content.xml",
                f"<office:document-content {names}><office:body><office:spreadsheet>"
                f'<table:table table:name="S">{row}</table:table>'
                f"</office:spreadsheet></office:body></office:document-content>",
            )
        assert cells(tmp_path / "a.ods") == [("S", 2, "13812345678")]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "big5"])
    def test_text_in_any_encoding_is_read(self, tmp_path: Path, encoding: str) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes("姓名,mobile\r\n李,13812345678\r\n王,13812345679\r\n".encode(encoding))
        assert numbers(path) == ["13812345678", "13812345679"]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "，", "；", "、", "：", "｜", "^", "~", ":"])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
    def test_text_with_any_delimiter_and_line_end_is_read(self, tmp_path: Path, delimiter: str, line_end: str) -> None:
        rows = [["name", "phone", "note"], ["Li", "13812345678", "x"], ["Wu", "13812345679", "y"]]
        path = tmp_path / "a.txt"
        path.write_bytes(line_end.join(delimiter.join(row) for row in rows).encode())
        assert cells(path) == [("", 2, "13812345678"), ("", 3, "13812345679")]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("13812345678\n13812345679", [(1, "13812345678"), (2, "13812345679")], id="numbers alone"),
            pytest.param('name,tel\n"Li\nWei",138\nWu,139', [(2, "138"), (3, "139")], id="quoted line break"),
            pytest.param('sep=;\nname;tel\n"Li";"138"', [(2, "138")], id="sep= line"),
            pytest.param("tel,name\n138\n139,b,c", [(2, "138"), (3, "139")], id="ragged"),
            pytest.param("name,tel\na\nb,139", [(2, ""), (3, "139")], id="row too short"),
            pytest.param("tel\n\n138\n\n\n", [(3, "138")], id="empty lines"),
            pytest.param("name,tel,,,\nLi,138,,,\n,,,,\n", [(2, "138")], id="trailing commas"),
            pytest.param(
                'name,tel\n"Li,138\nWu,139\n', [(2, ""), (3, "139")], id="a quote never closed spoils one row"
            ),
            pytest.param(
                "13812345678, +86 139 1234 5679,85261234567\n",
                [(1, "13812345678"), (2, "+86 139 1234 5679"), (3, "85261234567")],
                id="numbers in one line",
            ),
            pytest.param(
                "\n13812345678；13912345679、13712345678；\n\n",
                [(1, "13812345678"), (2, "13912345679"), (3, "13712345678")],
                id="numbers in one line, as Chinese separates them",
            ),
            pytest.param("张三，13812345678", [(1, "13812345678")], id="one line as a Chinese keyboard types it"),
            pytest.param(
                "13812345678,2026-05-01 10:30,您好，张三，请\n13812345679,2026-05-02 11:30,您好，李四，请\n",
                [(1, "13812345678"), (2, "13812345679")],
                id="colons and Chinese commas inside cells",
            ),
            pytest.param(
                "张三，13812345678，hello, dear\n李四，13812345679，bye, dear\n",
                [(1, "13812345678"), (2, "13812345679")],
                id="commas inside cells between Chinese ones",
            ),
            pytest.param("Li 13812345678\n", [(1, "Li 13812345678")], id="a space is no delimiter"),
            pytest.param("13812345678,Li,13912345679", [(1, "13812345678")], id="a row with a name is no list"),
            pytest.param("tel\n=138\n'139", [(2, "=138"), (3, "'139")], id="signs are kept"),
        ],
    )
    def test_text_is_read(self, tmp_path: Path, text: str, expected: list[tuple[int, str]]) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(text.encode())
        assert [(row, cell) for _, row, cell in cells(path)] == expected


def _docx(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.jpg", b"x")


def _truncated(path: Path) -> None:
    whole = workbook(path, s=[["mobile"], *[["13812345678"]] * 500]).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _broken_xml(path: Path) -> None:
    raw_workbook(path, f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>1</v')


def _far_corner(path: Path) -> None:
    book = openpyxl.Workbook()
    book.worksheets[0]["A1"] = "mobile"
    book.worksheets[0]["XFD1048576"] = "13812345678"
    book.save(path)


def _zip_bomb(path: Path) -> None:
    """Says in its headers that the sheet inflates to 2 GB."""
    raw_workbook(path, b"<worksheet>" + b" " * 4321)
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 4332), struct.pack("<I", 2 << 30)))


def _many_rows(path: Path) -> None:
    raw_workbook(path, f'<worksheet xmlns="{MAIN}"><sheetData>'.encode() + b"<row/>" * (18 << 20))


def _far_row(path: Path) -> None:
    cell = '<row r="99999999999"><c r="A99999999999" t="inlineStr"><is><t>13812345678</t></is></c></row>'
    raw_workbook(path, f'<worksheet xmlns="{MAIN}"><sheetData>{cell}</sheetData></worksheet>')


def _lying_zip_bomb(path: Path) -> None:
    """Says in its headers that the sheet is small; it is 160 MB, all of it one text."""
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>'.encode() + b"x" * (
        160 << 20
    )
    raw_workbook(path, sheet)
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", len(sheet)), struct.pack("<I", 1000)))


def _cut_xls(path: Path) -> None:
    ole(path, "Workbook")
    path.write_bytes(path.read_bytes()[:-100])


FILES: dict[str, tuple[Callable[[Path], object], str, dict[str, object]]] = {
    "nothing": (lambda path: path.write_bytes(b""), "empty", {}),
    "only spaces": (lambda path: path.write_bytes(b" \r\n\r\n"), "empty", {}),
    "an empty workbook": (lambda path: workbook(path, s=[]), "empty", {"sheets": []}),
    "a header alone": (lambda path: workbook(path, s=[["mobile"]]), "empty", {"sheets": ["s"]}),
    "a header alone in a csv": (lambda path: path.write_text("name,mobile\n"), "empty", {"sheets": [""]}),
    "no numbers": (
        lambda path: workbook(path, s=[["Name", "City"], ["Li", "Xi'an"]]),
        "no_number_column",
        {"sheets": ["s"], "headers": ["Name", "City"]},
    ),
    "prose": (
        lambda path: path.write_text("Dear all,\nsee you on Monday."),
        "no_number_column",
        {"sheets": [""], "headers": ["Dear all"]},
    ),
    "a picture": (
        lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)),
        "not_a_spreadsheet",
        {"seen": "image"},
    ),
    "a pdf": (lambda path: path.write_bytes(b"%PDF-1.7\n"), "not_a_spreadsheet", {"seen": "pdf"}),
    "bytes": (lambda path: path.write_bytes(bytes(range(256)) * 9), "not_a_spreadsheet", {"seen": "binary"}),
    "a docx": (_docx, "not_a_spreadsheet", {"seen": "document"}),
    "a zip": (_zip, "not_a_spreadsheet", {"seen": "archive"}),
    "a doc": (lambda path: ole(path, "WordDocument"), "not_a_spreadsheet", {"seen": "document"}),
    "a web page with its parts in one file": (
        lambda path: path.write_text("MIME-Version: 1.0\nX-Document-Type: Workbook\n\n<table><tr><td>13812345678"),
        "not_a_spreadsheet",
        {"seen": "html"},
    ),
    "a web page whose table has no numbers": (
        lambda path: path.write_text("<html><table><tr><th>Name</th></tr><tr><td>Li</td></tr></table></html>"),
        "no_number_column",
        {"sheets": [""], "headers": ["Name"]},
    ),
    "a web page with nothing in its table": (
        lambda path: path.write_text("<html><table></table></html>"),
        "empty",
        {"sheets": []},
    ),
    "another kind of XML": (
        lambda path: path.write_text('<?xml version="1.0"?><customers><mobile>13812345678</mobile></customers>'),
        "not_a_spreadsheet",
        {"seen": "xml"},
    ),
    "a sign-in page": (
        lambda path: path.write_text("\ufeff\n<!DOCTYPE html><html><form>Sign in</form></html>"),
        "login_page",
        {},
    ),
    "an encrypted workbook": (lambda path: ole(path, "EncryptionInfo", "EncryptedPackage"), "encrypted", {}),
    "a workbook cut off": (_truncated, "truncated", {"error": "File is not a zip file"}),
    "far corners": (_far_corner, "expands_too_much", {}),
    "a zip bomb": (_zip_bomb, "expands_too_much", {"inflated_mb": 2048}),
    "a zip bomb of rows": (_many_rows, "expands_too_much", {"inflated_mb": 108}),
}


class TestBadFiles:
    @pytest.mark.parametrize("name", FILES)
    def test_a_bad_file_is_refused_for_what_it_is(self, tmp_path: Path, name: str) -> None:
        make, why, facts = FILES[name]
        path = tmp_path / "customers.xlsx"
        make(path)
        started = monotonic()
        error = refusal(path)
        assert (error.why, error.facts) == (why, facts)
        assert monotonic() - started < 10

    @pytest.mark.parametrize("make", [_broken_xml, _cut_xls], ids=["xlsx", "xls"])
    def test_a_damaged_workbook_is_called_truncated(self, tmp_path: Path, make: Callable[[Path], object]) -> None:
        make(tmp_path / "a")
        assert refusal(tmp_path / "a").why == "truncated"

    def test_a_zip_that_lies_about_its_size_meets_the_memory_limit(self, tmp_path: Path) -> None:
        _lying_zip_bomb(tmp_path / "a.xlsx")
        with pytest.raises(BadFile) as caught:
            list(read_numbers(tmp_path / "a.xlsx", memory_limit_bytes=128 << 20))
        assert caught.value.why in ("expands_too_much", "truncated")

    def test_a_row_beyond_all_rows_is_not_counted_up_to(self, tmp_path: Path) -> None:
        _far_row(tmp_path / "a.xlsx")
        assert refusal(tmp_path / "a.xlsx").why == "expands_too_much"

    def test_a_large_file_is_refused_unread(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        with path.open("wb") as file:
            file.truncate(reader.MAX_BYTES + 1)
        error = refusal(path)
        assert (error.why, error.facts) == ("too_large", {"size_mb": 31, "limit_mb": 30})

    def test_a_child_that_says_nothing_for_long_is_ended(self, tmp_path: Path) -> None:
        path = workbook(tmp_path / "a.xlsx", s=[["mobile"], ["13812345678"]])
        with pytest.raises(BadFile) as caught:
            list(read_numbers(path, quiet_seconds=0.001))
        assert (caught.value.why, caught.value.facts) == ("expands_too_much", {"seconds": 0.001})


class TestChild:
    def test_closing_the_reader_ends_the_child(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("mobile\n" + "13812345678\n" * 500_000)
        chunks = read_numbers(path)
        next(chunks)
        before = _children()
        chunks.close()
        assert before - _children()

    def test_a_reader_that_is_forgotten_leaves_nothing_behind(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("mobile\n" + "13812345678\n" * 500_000)
        before = _children()
        assert isinstance(next(read_numbers(path)), Chunk)
        gc.collect()
        assert _children() == before

    def test_it_reads_from_any_working_directory_and_a_relative_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "--help").write_text("mobile\n13812345678\n")
        monkeypatch.chdir(tmp_path)
        assert numbers(Path("--help")) == ["13812345678"]


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
