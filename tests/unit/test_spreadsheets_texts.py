"""Texts as old programs and other countries write them; what a reader makes of them after that is tested elsewhere."""

from __future__ import annotations

import io

import pytest

from services.spreadsheets.texts import rows_of, shape_of

CHINESE = ["姓名,手机号,城市", "李娜,13812345678,北京", "欧阳锋,13812345679,呼和浩特", "龚鑫,,乌鲁木齐"]
TAIWANESE = ["姓名,手機,城市", "陳大文,0912345678,臺北", "歐陽鋒,0912345679,高雄", "許功蓋,,香港"]
WESTERN = ["Nom,téléphone,Ville", "José,612345678,Málaga", "Müller,,Köln", "Ñuñez €,612345679,Évreux", "Zoë,,Orléans"]


def table(data: bytes) -> tuple[str, list[list[str]]]:
    file = io.BytesIO(data)
    shape = shape_of(file)
    return shape.encoding, list(rows_of(file, shape))


@pytest.mark.parametrize("lines", [1, 2, 3, 4])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8-sig"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "utf-16-le", "utf-16-le"),
        (CHINESE, "utf-16-be", "utf-16-be"),
        (CHINESE, "gbk", "gb18030"),
        (TAIWANESE, "big5", "cp950"),
        (WESTERN, "cp1252", "cp1252"),
        (WESTERN, "utf-16-le", "utf-16-le"),
    ],
)
def test_the_encoding_is_found_and_no_letter_is_lost(
    text: list[str], encoding: str, found: str, line_end: str, lines: int
) -> None:
    data = line_end.join(text[:lines]).encode(encoding)
    assert table(data) == (found, [line.split(",") for line in text[:lines]])


def test_western_letters_before_a_bar_do_not_swallow_it() -> None:
    assert table("José|138\nRené|139".encode("cp1252"))[1] == [["José", "138"], ["René", "139"]]


def test_the_encoding_shows_also_far_into_a_file() -> None:
    data = b"a,138\n" * 100_000 + "李娜,139\n".encode("gbk")
    assert table(data)[1][-1] == ["李娜", "139"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        pytest.param("138\r\n139\r\n", [["138"], ["139"]], id="no delimiter"),
        pytest.param("a;1,5;x\nb;2,5;y", [["a", "1,5", "x"], ["b", "2,5", "y"]], id="commas inside cells"),
        pytest.param('n\tm\n"a\r\nb"\t138', [["n", "m"], ["a\r\nb", "138"]], id="quoted line break"),
        pytest.param('n,m\n"a ""b""",138', [["n", "m"], ['a "b"', "138"]], id="doubled quotes"),
        pytest.param(
            'm;n\n1;"a, b\nc; d"\n2;"e\n\nf"', [["m", "n"], ["1", "a, b\nc; d"], ["2", "e\n\nf"]], id="notes of lines"
        ),
        pytest.param("a,b\n\n,,,\n1", [["a", "b"], [], ["", "", "", ""], ["1"]], id="ragged"),
    ],
)
def test_rows_are_cut(text: str, rows: list[list[str]]) -> None:
    assert table(text.encode())[1] == rows


NUMBERS = [str(13812345600 + no) for no in range(99)]


@pytest.mark.parametrize(("first", "second"), [('"', '"'), ('"Ana', '"Ben'), ('"', '"Ben'), ('"Ana', '"')])
@pytest.mark.parametrize("places", [(5, 6), (5, 80)], ids=["next to each other", "far apart"])
@pytest.mark.parametrize("form", ["{0};{1}", "{1};{0}", "{0};{1};x"], ids=["behind", "in front", "between"])
def test_quotes_that_people_wrote_as_such_swallow_no_row(
    form: str, places: tuple[int, int], first: str, second: str
) -> None:
    notes = {places[0]: first, places[1]: second}
    lines = [form.format(number, notes.get(no, "x")) for no, number in enumerate(NUMBERS)]
    rows = table("\n".join(lines).encode())[1]
    assert len(rows) == len(lines)
    untouched = [no for no in range(len(lines)) if no not in places]
    assert [rows[no] for no in untouched] == [lines[no].split(";") for no in untouched]


def test_quotes_further_apart_than_a_cell_may_be_long_are_no_damage() -> None:
    lines = ["mobile;note", *(f"{13800000000 + no};a note" for no in range(30_000))]
    lines[7], lines[25_000] = '13700000000;"', '13700000001;"Ben'
    rows = table("\n".join(lines).encode())[1]
    assert [row[0] for row in rows] == [line.split(";")[0] for line in lines]


def test_a_long_list_of_one_column_between_two_quotes_is_rows() -> None:
    rows = table("\n".join(['"', *NUMBERS, '"']).encode())[1]
    assert [cell for row in rows for cell in row if len(cell) > 5] == NUMBERS


def test_a_long_letter_in_a_cell_is_one_cell() -> None:
    letter = "Dear all,\n" + "we are open, as ever\n" * 50 + "Tel. 138 0013 8000"
    rows = table(f'name,mobile,note\nLi,13812345678,"{letter}"\nWu,13812345679,\n'.encode())[1]
    assert rows == [["name", "mobile", "note"], ["Li", "13812345678", letter], ["Wu", "13812345679", ""]]
