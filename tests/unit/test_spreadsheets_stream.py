"""What a stream makes of a sheet is what calamine makes of it: both read the same generated workbooks."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.errors import BadFile
from services.spreadsheets import sender, stream, strings, tables, workbooks
from services.spreadsheets.frames import LENGTH, unpack
from services.spreadsheets.sender import Sender

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
PROLOG = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
FORMATS = (0, 49, 14, 22, 20, 46, 164, 165, 166)
CODES = ("yyyy\\-mm\\-dd", "00000000000", "[h]:mm")
STRINGS = (
    *("<si><t>mobile</t></si>", "<si><t>13812345678</t></si>", "<si><t>手机 &amp; co</t></si>", "<si><t> x </t></si>"),
    *('<si><t xml:space="preserve"> y </t></si>', "<si><t/></si>", "<si/>", '<si><t xml:space="preserve">  </t></si>'),
    "<si><r><rPr><b/></rPr><t>a </t></r><r><t xml:space='preserve'> b</t></r></si>",
    '<si><t>手机</t><rPh sb="0" eb="2"><t>ショウ</t></rPh><phoneticPr fontId="1"/></si>',
    "<si><t>13912345678</t></si>",
)


@dataclass
class Told:
    """All that a reader told of a workbook."""

    sheets: list[object] = field(default_factory=list)
    rows: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    hidden: int = 0
    refused: str = ""


def book(*sheets: str, shared: str = "", prolog: str = PROLOG) -> io.BytesIO:
    numbers = range(1, len(sheets) + 1)
    names = "".join(f'<sheet name="S{no}" sheetId="{no}" r:id="r{no}"/>' for no in numbers)
    links = "".join(
        f'<Relationship Id="r{no}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{no}.xml"/>' for no in numbers
    )
    codes = "".join(f'<numFmt numFmtId="{no}" formatCode="{code}"/>' for no, code in enumerate(CODES, start=164))
    formats = "".join(f'<xf numFmtId="{no}"/>' for no in FORMATS)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{PACKAGE}/content-types"/>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'
        )
        archive.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{MAIN}"><numFmts>{codes}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
            f"<cellXfs>{formats}</cellXfs></styleSheet>",
        )
        if shared:
            archive.writestr("xl/sharedStrings.xml", f'{prolog}<sst xmlns="{MAIN}" count="9">{shared}</sst>')
        for no, sheet in zip(numbers, sheets, strict=True):
            archive.writestr(f"xl/worksheets/sheet{no}.xml", prolog + sheet)
    return file


def worksheet(rows: str, before: str = "", behind: str = "") -> str:
    return f'<worksheet xmlns="{MAIN}">{before}<sheetData>{rows}</sheetData>{behind}</worksheet>'


def told(data: io.BytesIO, *, attributes: bool = True) -> Told:
    out = io.BytesIO()
    found = Told()
    writer = Sender(out, attributes=attributes)
    try:
        with tempfile.TemporaryFile() as file:
            file.write(data.getvalue())
            file.flush()
            workbooks.send_workbook(file, "zip", writer)
        writer.finish()
    except BadFile as bad:
        return Told(refused=bad.why)  # what was told before does not count
    for head, cells in _frames(out):
        if "sheet" in head:
            hidden: list[int] = head.pop("hidden")  # type: ignore[assignment]
            found.sheets.append((head, hidden[1]))
            found.hidden += hidden[0]
        elif "done" in head:
            found.hidden += head["hidden"]  # type: ignore[operator]
            numbers: list[int] = head.get("rows") or _range(*head["range"])  # type: ignore[assignment, misc]
            runs = [cells[at : at + len(numbers)] for at in range(0, len(cells), len(numbers))] if numbers else []
            found.rows += zip(numbers, zip(*runs, strict=True), strict=True)
    return found


def _range(first: int, count: int) -> list[int]:
    return list(range(first, first + count))


def _frames(out: io.BytesIO) -> Iterator[tuple[dict[str, object], list[str]]]:
    out.seek(0)
    while length := out.read(LENGTH.size):
        yield unpack(out.read(LENGTH.unpack(length)[0]))


class Readers:
    """Reads a workbook both ways, and counts the blocks that came as a stream's columns."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch, self.columns = patch, 0

        def counted(*given: object) -> stream.Columns:
            self.columns += 1
            return original(*given)  # type: ignore[arg-type]

        original = stream.Columns
        patch.setattr(stream, "Columns", counted)

    def both(self, data: io.BytesIO, *, attributes: bool = True) -> tuple[Told, Told]:
        found = []
        for least in (1 << 40, 0):
            self.patch.setattr(workbooks, "STREAM_BYTES", least)
            found.append(told(data, attributes=attributes))
        return found[0], found[1]


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Readers:
    monkeypatch.setattr(sender, "HEAD_ROWS", 4)
    monkeypatch.setattr(tables, "HEAD_ROWS", 4)
    monkeypatch.setattr(stream, "_FIRST_BLOCK", 300)
    monkeypatch.setattr(stream, "_BLOCK", 250)
    monkeypatch.setattr(strings, "_BLOCK", 250)
    return Readers(monkeypatch)


SHARED = st.integers(0, len(STRINGS) - 1).map(lambda no: f' t="s"><v>{no}</v></c>')
SERIAL = st.one_of(
    st.floats(0, 3e6).map(repr),
    st.sampled_from(["0", "1.50", "1E+3", "46143", "46143.4375", "46143.9999999999", "0.25", "60", "-1", "007", ""]),
)
NUMBER = st.one_of(st.integers(13000000000, 13999999999).map(str), SERIAL)
TEXT = st.sampled_from(["13812345678", " x ", "a&amp;b", "", "中", "x&#10;y"])
USUAL = st.one_of(
    st.just(' t="s"><v>1</v></c>'),
    st.integers(13000000000, 13999999999).map(lambda number: f"><v>{number}</v></c>"),
)
ODD = st.one_of(
    SHARED,
    st.builds(lambda style, number: f' s="{style}"><v>{number}</v></c>', st.integers(0, len(FORMATS)), SERIAL),
    NUMBER.map(lambda number: f' t="n"><v>{number}</v></c>'),
    TEXT.map(lambda text: f' t="str"><f>A1&amp;""</f><v>{text}</v></c>'),
    TEXT.map(lambda text: f' t="inlineStr"><is><t>{text}</t></is></c>'),
    TEXT.map(lambda text: f' s="1" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'),
    st.just(' t="inlineStr"><is><r><rPr><b/></rPr><t>a </t></r><r><t>b</t></r></is></c>'),
    st.sampled_from([' t="b"><v>1</v></c>', ' t="e"><v>#N/A</v></c>', ' s="1"/>', ' t="s"/>', "></c>"]),
    st.sampled_from(["", "><f>1+1</f></c>", ' t="d"><v>2026-05-01</v></c>', ' cm="1"><v>7</v></c>', ">\n<v>5</v></c>"]),
)
COLUMN = st.one_of(USUAL, st.sampled_from(["<shared>", "<inline>", "<marked>", "<text>", "<date>", "<none>"]), ODD)


def _cell(usual: str, no: int) -> str:
    return {
        "<shared>": f' t="s"><v>{1 + no % 4}</v></c>',
        "<inline>": f' t="inlineStr"><is><t>n{no}</t></is></c>',
        "<marked>": f' t="inlineStr"><is><t xml:space="preserve"> n{no}</t></is></c>',
        "<text>": f' t="str"><f>B{no}</f><v>n{no}</v></c>',
        "<date>": f' s="2"><v>{46000 + no}</v></c>',
        "<none>": "",
    }.get(usual, usual)


@st.composite
def sheets(draw: st.DrawFn) -> str:
    usual = draw(st.lists(COLUMN, min_size=1, max_size=4))
    number = 0
    rows = ['<row r="1"><c r="A1" t="s"><v>0</v></c></row>'] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 40))):
        number += draw(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 5]))
        at = number + len(rows[:1])
        cells = "".join(
            f'<c r="{"ABCDE"[no]}{at}{chr(34)}{body}'
            for no, column in enumerate(usual)
            if (body := draw(ODD) if draw(st.integers(0, 30)) == 0 else _cell(column, at))
        )
        said = draw(
            st.sampled_from(["", "", ' spans="1:4"', ' ht="15" hidden="false"'] + [' hidden="1"'] * (at % 9 == 0))
        )
        rows.append(draw(st.sampled_from(["", "", "", "\n"])))
        rows.append(f'<row r="{at}"{said}/>' if draw(st.integers(0, 30)) == 0 else f'<row r="{at}"{said}>{cells}</row>')
    before = draw(st.sampled_from(["", '<cols><col min="2" max="2" width="9" hidden="1"/></cols>']))
    behind = draw(st.sampled_from(["", '<mergeCells><mergeCell ref="A1:A2"/></mergeCells>']))
    return worksheet("".join(rows), before, behind)


@pytest.mark.parametrize("attributes", [True, False], ids=["attributes", "numbers"])
def test_a_stream_reads_what_calamine_reads(readers: Readers, attributes: bool) -> None:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(sheets(), min_size=1, max_size=2), st.lists(st.sampled_from(STRINGS), max_size=9))
    def check(drawn: list[str], more: list[str]) -> None:
        data = book(*drawn, shared="".join([*STRINGS, *more]))
        by_calamine, streamed = readers.both(data, attributes=attributes)
        assert streamed == by_calamine

    check()
    assert readers.columns > 50


ROWS = "".join(f'<row r="{no}"><c r="A{no}"><v>{13812345600 + no}</v></c></row>' for no in range(1, 40))


@pytest.mark.parametrize(
    "row",
    [
        pytest.param('<!-- <row r="41"><c r="A41"><v>5</v></c></row> -->', id="comment"),
        pytest.param('<row r="41"><c r="A41" t="str"><v><![CDATA[138</row>]]></v></c></row>', id="CDATA"),
        pytest.param("<row><c><v>13800000000</v></c></row>", id="no places"),
        pytest.param('<row r="42"/><row r="41"><c r="A41"><v>13800000000</v></c></row>', id="rows in another order"),
        pytest.param('<row r="41"><c r="B41"><v>1</v></c><c r="A41"><v>2</v></c></row>', id="cells in another order"),
        pytest.param('<row r="41"><c r="A42"><v>13800000000</v></c></row>', id="cell of another row"),
        pytest.param('<row r="41"><c r="A41" t="str"><v>a_x000D_b</v></c></row>', id="escape"),
        pytest.param('<row r="41"><c r="A41" t="str"><v>a\r\nb</v></c></row>', id="line end"),
        pytest.param('<row r="41"><c r="A41" t="s"><v>99</v></c></row>', id="no such string"),
        pytest.param('<row r="41"><c r="A41"><v>1_0</v></c></row>', id="no number to calamine"),
        pytest.param('<row r="41"><c r="A41"><v>1</v><v>2</v></c></row>', id="two values"),
        pytest.param('<row r="41"><c r="A41" t="zzz"><v>1</v></c></row>', id="unknown type"),
        pytest.param('<x:row r="41"><x:c r="A41"><x:v>13800000000</x:v></x:c></x:row>', id="prefix"),
        pytest.param('<row r="41"><c r="A41"><v>1</v></c>', id="broken"),
        pytest.param('<row r="41"><c r="XFD41"><v>1</v></c></row>', id="far right"),
        pytest.param('<row r="41"><c r="A41" t="s"><v>7</v></c></row>', id="spaces alone"),
        pytest.param("</sheetData><sheetData><row r='41'><c r='A41'><v>138</v></c></row>", id="two of them"),
    ],
)
def test_what_is_unusual_is_left_to_calamine(readers: Readers, row: str) -> None:
    more = "".join(f'<row r="{no}"><c r="A{no}"><v>{13812345600 + no}</v></c></row>' for no in range(50, 70))
    by_calamine, streamed = readers.both(book(worksheet(ROWS + row + more), shared="".join(STRINGS)))
    assert streamed == by_calamine
    assert readers.columns


def test_a_row_that_comes_twice_is_damage(readers: Readers) -> None:
    again = '<row r="7"><c r="A7"><v>13800000000</v></c></row>'
    assert readers.both(book(worksheet(ROWS + again)))[1] == Told(refused="truncated")


def test_a_filtered_sheet_is_streamed_without_its_hidden_rows(readers: Readers) -> None:
    hidden = ["", ' hidden="1"', ' hidden="1"']
    rows = "".join(
        f'<row r="{no}"{hidden[no % 3]}><c r="A{no}"><v>{13812345600 + no}</v></c></row>' for no in range(1, 100)
    )
    by_calamine, streamed = readers.both(book(worksheet(rows)))
    assert streamed == by_calamine
    assert (streamed.hidden, len(streamed.rows)) == (66, 33)


@pytest.mark.parametrize(
    "shared",
    [
        pytest.param("<si><t>a</t></si><!-- --><si><t>b</t></si>", id="comment"),
        pytest.param("<si><t>a</t></si><si><t>b", id="broken"),
        pytest.param("<si><t>a</t></si>\n<si><r><t>b</t></r><x/></si>", id="unknown element"),
        pytest.param("<si><t>a_x0041_</t></si><si><t>b</t></si>", id="escape"),
    ],
)
def test_unusual_strings_are_left_to_calamine(readers: Readers, shared: str) -> None:
    cells = "".join(f'<row r="{no}"><c r="A{no}" t="s"><v>{no % 2}</v></c></row>' for no in range(2, 40))
    header = '<row r="1"><c r="A1" t="inlineStr"><is><t>mobile</t></is></c></row>'
    by_calamine, streamed = readers.both(book(worksheet(header + cells), shared=shared))
    assert streamed == by_calamine
    assert not readers.columns


def test_a_header_merged_over_two_rows_is_seen_at_the_sheet_s_end(readers: Readers) -> None:
    lines = [["Name", "Mobile", "Address", ""], ["", "", "City", "Street"]]
    rows = "".join(
        f'<row r="{no}">'
        + "".join(
            f'<c r="{letter}{no}" t="inlineStr"><is><t>{text}</t></is></c>'
            for letter, text in zip("ABCD", line, strict=True)
        )
        + "</row>"
        for no, line in enumerate([*lines, *[["Li", f"138{no:08}", "Wuhan", "x"] for no in range(30)]], start=1)
    )
    merges = (
        '<mergeCells count="2"><mergeCell ref="A1:A2"/><mergeCell ref="B1:B2"/><mergeCell ref="C1:D1"/></mergeCells>'
    )
    by_calamine, streamed = readers.both(book(worksheet(rows, behind=merges)))
    assert streamed == by_calamine
    assert streamed.rows[0] == (3, ("13800000000", "Li", "Wuhan", "x"))
