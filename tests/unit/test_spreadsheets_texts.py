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
        pytest.param("a,b\n\n,,,\n1", [["a", "b"], [], ["", "", "", ""], ["1"]], id="ragged"),
    ],
)
def test_rows_are_cut(text: str, rows: list[list[str]]) -> None:
    assert table(text.encode())[1] == rows
