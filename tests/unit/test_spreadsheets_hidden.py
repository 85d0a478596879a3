"""What a person has hidden in a workbook, as several programs write it."""

from __future__ import annotations

import io
import zipfile

import pytest

from services.errors import BadFile
from services.spreadsheets.hidden import Package
from services.spreadsheets.tables import Hidden

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def xlsx(sheet: str, target: str = "worksheets/one.xml") -> Package:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="A &amp; B" sheetId="9" r:id="rId7"/>'
            f"</sheets></workbook>",
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="rId7" Target="{target}"/></Relationships>',
        )
        book.writestr("xl/worksheets/one.xml", sheet)
    return Package(file)


def ods(*tables: str) -> Package:
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("content.xml", f"<office:document-content {names}>{''.join(tables)}</office:document-content>")
    return Package(file)


def rows(hidden: Hidden) -> list[int]:
    """The hidden rows' numbers, from 1."""
    return [no for no, hides in enumerate(hidden.rows, start=1) if hides]


@pytest.mark.parametrize(
    ("sheet", "hidden"),
    [
        pytest.param(f'<worksheet xmlns="{MAIN}"><row r="2"/><row r="7"/></worksheet>', [], id="nothing"),
        pytest.param(f'<worksheet xmlns="{MAIN}"><row r="2" hidden="1"/><row r="7"/></worksheet>', [2], id="1"),
        pytest.param(
            f'<worksheet xmlns="{MAIN}"><row r="2" hidden="false"/><row r="7" hidden="true"/></worksheet>',
            [7],
            id="true",
        ),
        pytest.param(f'<x:worksheet xmlns:x="{STRICT}"><x:row r="3" hidden="1"/></x:worksheet>', [3], id="prefix"),
        pytest.param(f'<worksheet xmlns="{MAIN}"><row/><row hidden="1"/><row/></worksheet>', [2], id="no row numbers"),
        pytest.param(f"<worksheet xmlns='{MAIN}'><row r='4' hidden = '1'/></worksheet>", [4], id="other quotes"),
        pytest.param(
            f'<worksheet xmlns="{MAIN}"><row r="1"/><!-- <row r="2" hidden="1"/> --></worksheet>', [], id="comment"
        ),
        pytest.param(
            f'<worksheet xmlns="{MAIN}"><row r="99999999999" hidden="1"/><row r="9999999" hidden="1"/></worksheet>',
            [],
            id="rows beyond all rows",
        ),
    ],
)
@pytest.mark.parametrize("target", ["worksheets/one.xml", "/xl/worksheets/one.xml"])
def test_hidden_rows_of_an_xlsx_are_found(sheet: str, hidden: list[int], target: str) -> None:
    assert rows(xlsx(sheet, target).hidden_in("A & B")) == hidden


def test_hidden_columns_of_an_xlsx_are_found() -> None:
    cols = (
        '<cols><col min="2" max="3" hidden="1"/><col min="5" max="5"/><col min="16000" max="99999" hidden="1"/></cols>'
    )
    hidden = xlsx(f'<worksheet xmlns="{MAIN}">{cols}</worksheet>').hidden_in("A & B")
    assert sorted(hidden.columns) == [1, 2, *range(15999, 16384)]


def test_hidden_rows_and_columns_of_an_ods_are_found_sheet_by_sheet() -> None:
    package = ods(
        '<table:table table:name="A"><table:table-column table:number-columns-repeated="2"/>'
        '<table:table-column table:visibility="collapse"/><table:table-row table:number-rows-repeated="3"/>'
        '<table:table-row table:visibility="filter" table:number-rows-repeated="2"/><table:table-row/></table:table>',
        '<table:table table:name="B"><table:table-row table:visibility="collapse"/></table:table>',
    )
    assert (rows(package.hidden_in("A")), package.hidden_in("A").columns) == ([4, 5], {2})
    assert (rows(package.hidden_in("B")), package.hidden_in("B").columns) == ([1], set())


def test_a_sheet_that_is_not_there_hides_nothing() -> None:
    assert xlsx("<worksheet/>").hidden_in("C") == Hidden()


@pytest.mark.parametrize(
    "sheet",
    [
        pytest.param('<worksheet><row hidden="1"', id="cut off"),
        pytest.param(
            '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><worksheet>&b;<row hidden="1"/></worksheet>',
            id="entities",
        ),
    ],
)
def test_broken_or_hostile_xml_is_refused(sheet: str) -> None:
    with pytest.raises(BadFile) as caught:
        xlsx(sheet).hidden_in("A & B")
    assert caught.value.why == "truncated"


def test_the_word_is_found_across_the_edge_of_a_block() -> None:
    for shift in range(60):
        sheet = f'<worksheet xmlns="{MAIN}">{" " * ((1 << 17) - 100 - shift)}<row r="2" hidden="1"/></worksheet>'
        assert rows(xlsx(sheet).hidden_in("A & B")) == [2]
