"""Customer files as a marketer has them: one column of mainland mobile numbers, some wrong, some twice."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

HEADER = "手机号"
SHEET_ROWS = 1_048_575  # what fits under the header
INVALID_SHARE = 0.02
DUPLICATE_SHARE = 0.03
_PREFIXES = tuple(f"1{n}" for n in (*range(30, 40), *range(50, 54), *range(55, 60), *range(80, 90)))
_SPACE = len(_PREFIXES) * 10**8
_CITIES = ("北京", "上海", "广州", "武汉")
_BROKEN = ("1381234", "n/a", "138123456789", "0755-1", "无", "1" * 11)


@dataclass(frozen=True, slots=True)
class Made:
    """What a made file holds, header not counted: `rows` = valid and distinct + `invalid` + `duplicates`."""

    rows: int
    invalid: int
    duplicates: int

    @property
    def distinct(self) -> int:
        return self.rows - self.invalid - self.duplicates


def cells(rows: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield (cell, "valid" | "invalid" | "duplicate"); the same seed gives the same file."""
    draw = random.Random(seed)
    shift, seen = draw.randrange(_SPACE), 0
    for _ in range(rows):
        kind = draw.random()
        if kind < INVALID_SHARE:
            yield draw.choice(_BROKEN), "invalid"
        elif kind < INVALID_SHARE + DUPLICATE_SHARE and seen:
            yield _mobile(draw.randrange(seen), shift), "duplicate"
        else:
            yield _mobile(seen, shift), "valid"
            seen += 1


def make_csv(path: Path, rows: int, seed: int = 1) -> Made:
    """Write a UTF-8 csv with a header."""
    kinds = {"valid": 0, "invalid": 0, "duplicate": 0}
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{HEADER}\r\n")
        for cell, kind in cells(rows, seed):
            kinds[kind] += 1
            file.write(f"{cell}\r\n")
    return Made(rows, kinds["invalid"], kinds["duplicate"])


def make_xlsx(path: Path, rows: int, seed: int = 1, sheet_rows: int = SHEET_ROWS, *, others: bool = False) -> Made:
    """Write a workbook as Excel does, text cells through shared strings, on as many sheets as `sheet_rows` asks for.

    With `others` each number has a name and a city beside it.
    """
    kinds = {"valid": 0, "invalid": 0, "duplicate": 0}
    names = (HEADER, "name", "city") if others else (HEADER,)
    strings = {name: no for no, name in enumerate(names)}
    source = cells(rows, seed)
    sheets = max(1, -(-rows // sheet_rows))
    with ZipFile(path, "w", ZIP_DEFLATED) as book:
        for no in range(1, sheets + 1):
            with book.open(f"xl/worksheets/sheet{no}.xml", "w") as sheet:
                header = _row(1, range(len(names)))
                sheet.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>{header}'.encode())
                part: list[str] = []
                for row in range(2, 2 + min(sheet_rows, rows - (no - 1) * sheet_rows)):
                    cell, kind = next(source)
                    kinds[kind] += 1
                    texts = (cell, f"客户{row}", _CITIES[row % len(_CITIES)]) if others else (cell,)
                    part.append(_row(row, [strings.setdefault(text, len(strings)) for text in texts]))
                    if len(part) == 10_000:
                        sheet.write("".join(part).encode())
                        part.clear()
                sheet.write(("".join(part) + "</sheetData></worksheet>").encode())
        with book.open("xl/sharedStrings.xml", "w") as table:
            count = (rows + sheets) * len(names)
            table.write(f'{_XML}<sst xmlns="{_MAIN}" count="{count}" uniqueCount="{len(strings)}">'.encode())
            table.write("".join(f"<si><t>{text}</t></si>" for text in strings).encode())
            table.write(b"</sst>")
        for name, text in _parts(sheets).items():
            book.writestr(name, _XML + text)
    return Made(rows, kinds["invalid"], kinds["duplicate"])


def _mobile(no: int, shift: int) -> str:
    # The step shares no factor with the space, so no number comes twice; its golden ratio leaves deflate no pattern.
    prefix, rest = divmod((no * 1_792_298_567 + shift) % _SPACE, 10**8)
    return f"{_PREFIXES[prefix]}{rest:08d}"


def _row(no: int, strings: Sequence[int]) -> str:
    cells = "".join(
        f'<c r="{letter}{no}" t="s"><v>{string}</v></c>' for letter, string in zip("ABC", strings, strict=False)
    )
    return f'<row r="{no}" spans="1:{len(strings)}">{cells}</row>'


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def _parts(sheets: int) -> dict[str, str]:
    """The small parts every workbook has."""
    numbers = range(1, sheets + 1)
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>' for n in numbers
    )
    entries = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>{overrides}'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_TYPE}.sharedStrings+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{entries}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{links}'
        f'<Relationship Id="rId{sheets + 1}" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
        f"</Relationships>",
    }
