"""HTML and XML under the name .xls, read by the real child process as a spreadsheet program would show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import BadFile
from services.spreadsheets.reader import Chunk, read_numbers

WORKBOOK = """<?xml version="1.0"?>
<?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:x="urn:schemas-microsoft-com:office:excel"
 xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet" xmlns:html="http://www.w3.org/TR/REC-html40">
{}
</Workbook>"""


def read(path: Path) -> list[Chunk]:
    return list(read_numbers(path, with_attributes=True))


def cells(chunks: list[Chunk]) -> list[tuple[int, str]]:
    return [each for chunk in chunks for each in zip(chunk.rows, chunk.cells, strict=True)]


def attributes(chunks: list[Chunk]) -> list[dict[str, str]]:
    return [
        dict(zip(chunk.sheet.attribute_names, row, strict=True)) for chunk in chunks for row in chunk.attributes or ()
    ]


def html(folder: Path, content: str, encoding: str = "utf-8") -> list[Chunk]:
    path = folder / "customers.xls"
    path.write_text(content, encoding)
    return read(path)


def xml(folder: Path, *sheets: str) -> list[Chunk]:
    path = folder / "customers.xls"
    path.write_text(WORKBOOK.format("\n".join(sheets)), "utf-8")
    return read(path)


def sheet(rows: str, name: str = "Sheet1", behind: str = "") -> str:
    return f'<Worksheet ss:Name="{name}"><Table>{rows}</Table>{behind}</Worksheet>'


def xml_row(*texts: str, more: str = "") -> str:
    made = "".join(f'<Cell><Data ss:Type="String">{text}</Data></Cell>' for text in texts)
    return f"<Row {more}>{made}</Row>"


class TestHtml:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
    def test_a_console_s_export_is_read_with_its_other_columns(self, tmp_path: Path, encoding: str) -> None:
        chunks = html(
            tmp_path,
            '<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta charset=utf-8>'
            '<style>td {mso-number-format:"\\@"}</style></head><body><table border=1>\n'
            "<tr><th>姓名</th><th>手机号</th><th>Last login</th></tr>\n"
            "<tr><td>李 &amp; 王</td><td>&nbsp;138 1234 5678</td><td>May</td></tr>\n"
            "<TR><TD>张<br>三</TD><TD><b>139</b>12345679</TD><TD></TD></TR>\n"
            "</table></body></html>",
            encoding,
        )
        assert cells(chunks) == [(2, "138 1234 5678"), (3, "13912345679")]
        assert attributes(chunks) == [{"姓名": "李 & 王", "Last login": "May"}, {"姓名": "张\n三", "Last login": ""}]

    def test_tags_that_are_never_closed_are_no_matter(self, tmp_path: Path) -> None:
        chunks = html(tmp_path, "<table><tr><td>tel<td>name<tr><td>13812345678<td>Li<tr><td>13912345679")
        assert cells(chunks) == [(2, "13812345678"), (3, "13912345679")]

    def test_wide_and_tall_cells_keep_the_columns_straight(self, tmp_path: Path) -> None:
        chunks = html(
            tmp_path,
            "<table><tr><th colspan=3>Spring<tr><th rowspan=2>City<th colspan=2>Customer<tr><th>Name<th>Mobile"
            "<tr><td rowspan=2>Wuhan<td>Li<td>13812345678<tr><td>Wu<td>13912345679</table>",
        )
        assert cells(chunks) == [(4, "13812345678"), (5, "13912345679")]
        assert [each["Name"] for each in attributes(chunks)] == ["Li", "Wu"]

    def test_the_value_excel_notes_is_taken_and_not_what_it_shows(self, tmp_path: Path) -> None:
        chunks = html(tmp_path, '<table><tr><td>mobile<tr><td x:num="13812345678">1.38E+10<tr><td x:num>13912345679')
        assert cells(chunks) == [(2, "13812345678"), (3, "13912345679")]

    def test_a_hidden_row_is_left_out_and_counted(self, tmp_path: Path) -> None:
        chunks = html(
            tmp_path,
            "<table><tr><td>mobile<tr style='height:0; DISPLAY: none'><td>13812345678<tr><td>13912345679</table>",
        )
        assert cells(chunks) == [(3, "13912345679")]
        assert sum(chunk.hidden_rows for chunk in chunks) == 1

    def test_many_rows_come_in_pieces_and_in_order(self, tmp_path: Path) -> None:
        rows = "".join(f"<tr><td>{no}</td><td>{13800000000 + no}</td></tr>" for no in range(20_000))
        chunks = html(tmp_path, f"<table><tr><th>no</th><th>mobile</th></tr>{rows}</table>")
        assert cells(chunks) == [(no + 2, str(13800000000 + no)) for no in range(20_000)]
        shares = [chunk.done for chunk in chunks]
        assert shares == sorted(shares)
        assert shares[1] < 0.5

    @pytest.mark.parametrize("tall", ["rowspan=9999999", "colspan=9999999", "rowspan=-1", "rowspan=x"])
    def test_a_cell_of_absurd_size_costs_nothing(self, tmp_path: Path, tall: str) -> None:
        chunks = html(tmp_path, f"<table><tr><td>mobile<td {tall}>x<tr><td>13812345678</table>")
        assert cells(chunks) == [(2, "13812345678")]


class TestXml:
    def test_every_sheet_is_read_with_its_other_columns(self, tmp_path: Path) -> None:
        chunks = xml(
            tmp_path,
            sheet(xml_row("Name", "Mobile") + xml_row("Li", "13812345678") + xml_row("Wu &amp; co", "13912345679")),
            sheet(xml_row("手机") + '<Row><Cell><Data ss:Type="Number">13712345678</Data></Cell></Row>', "二"),
        )
        assert cells(chunks) == [(2, "13812345678"), (3, "13912345679"), (2, "13712345678")]
        assert [chunk.sheet.name for chunk in chunks if not chunk.rows] == ["Sheet1", "二"]
        assert attributes(chunks)[:2] == [{"Name": "Li"}, {"Name": "Wu & co"}]

    def test_rows_and_cells_may_say_where_they_are(self, tmp_path: Path) -> None:
        there = '<Cell ss:Index="4"><Data ss:Type="String">{}</Data></Cell>'
        rows = f"<Row ss:Index='5'>{there.format('tel')}</Row><Row ss:Index='9'>{there.format('13812345678')}</Row>"
        chunks = xml(tmp_path, sheet(rows))
        assert cells(chunks) == [(9, "13812345678")]
        assert chunks[0].sheet.candidates[0].letter == "D"

    def test_merged_cells_keep_the_columns_straight(self, tmp_path: Path) -> None:
        rows = (
            '<Row><Cell ss:MergeDown="1"><Data ss:Type="String">Mobile</Data></Cell>'
            '<Cell ss:MergeAcross="1"><Data ss:Type="String">Name</Data></Cell></Row>'
            '<Row><Cell ss:Index="2"><Data ss:Type="String">First</Data></Cell>'
            '<Cell><Data ss:Type="String">Last</Data></Cell></Row>' + xml_row("13812345678", "Mei", "Li")
        )
        chunks = xml(tmp_path, sheet(rows))
        assert cells(chunks) == [(3, "13812345678")]
        assert attributes(chunks) == [{"First": "Mei", "Last": "Li"}]

    def test_what_is_hidden_is_left_out_and_counted(self, tmp_path: Path) -> None:
        hidden_column = '<Column/><Column ss:Hidden="1" ss:Span="1"/>'
        rows = (
            xml_row("Mobile", "Old mobile", "Older mobile")
            + xml_row("13812345678", "13612345678", "13512345678", more='ss:Hidden="1"')
            + xml_row("13912345679", "13612345679", "")
        )
        state = "<WorksheetOptions xmlns='urn:schemas-microsoft-com:office:excel'><Visible>SheetHidden</Visible></{}>"
        secret = sheet(xml_row("mobile") + xml_row("13712345678"), "secret", state.format("WorksheetOptions"))
        chunks = xml(tmp_path, sheet(hidden_column + rows), secret)
        assert cells(chunks) == [(3, "13912345679")]
        assert sum(chunk.hidden_rows for chunk in chunks) == 1
        assert [(chunk.sheet.skipped, chunk.sheet.hidden_columns) for chunk in chunks if not chunk.rows] == [
            ("", 2),
            ("hidden", 0),
        ]

    def test_a_comment_is_not_the_cell_and_a_font_is_no_matter(self, tmp_path: Path) -> None:
        rows = (
            "<Row><Cell><Data ss:Type='String'>mobile</Data></Cell></Row>"
            "<Row><Cell><ss:Data ss:Type='String' xmlns='http://www.w3.org/TR/REC-html40'>138<B>12345678</B></ss:Data>"
            "<Comment><ss:Data xmlns='http://www.w3.org/TR/REC-html40'>called 13900000000</ss:Data></Comment>"
            "</Cell></Row>"
        )
        assert cells(xml(tmp_path, sheet(rows))) == [(2, "13812345678")]

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            pytest.param(lambda text: text[:-30], "truncated", id="cut off"),
            pytest.param(
                lambda text: text.replace("?>\n<Work", '?>\n<!DOCTYPE x [<!ENTITY a "aaaa">]>\n<Work'),
                "not_a_spreadsheet",
                id="entities",
            ),
            pytest.param(
                lambda text: text.replace("<Row ", '<Row ss:Index="9999999" '), "expands_too_much", id="a row far down"
            ),
        ],
    )
    def test_a_bad_one_is_refused(self, tmp_path: Path, change: object, why: str) -> None:
        text = WORKBOOK.format(sheet(xml_row("mobile") + xml_row("13812345678")))
        assert callable(change)
        (tmp_path / "bad.xls").write_text(change(text))
        with pytest.raises(BadFile) as refused:
            read(tmp_path / "bad.xls")
        assert refused.value.why == why
