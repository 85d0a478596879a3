"""An xlsx's rows as its XML has them, and what python-calamine makes of each cell; what is not sure is `Unusual`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from xml.parsers import expat
from zipfile import ZipFile

from services.spreadsheets.columns import Cell, ErrorText
from services.spreadsheets.strings import WHITESPACE, Unusual

Kind = Literal["shared", "text", "inline", "number", "date", "bool", "error", "unknown"]

_STYLES = "xl/styles.xml"
_STYLES_BYTES = 8 << 20
_TYPES: dict[str, Kind] = {"s": "shared", "str": "text", "inlineStr": "inline", "b": "bool", "e": "error"}
_ATTRIBUTES = re.compile(rb'(?: s="([0-9]++)")?(?: t="([A-Za-z]++)")?(/?)')
_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_NUMBER = re.compile(r"[0-9.eE+-]+")
_ROW = re.compile(r"[1-9][0-9]{0,6}")
# Formats by number (ECMA-376 part 1, 18.8.30) and by code that are surely no date, or surely a day with or without
# time; [h] and the rest are unknown.
_PLAIN_FORMATS = frozenset((*range(14), *range(23, 27), *range(37, 45), 48, 49))
_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)))
_PLAIN_CODE = re.compile(r"General|@|[#0,.%_ ()$+\-;?*/]+|0+E\+0+")
_DAY = r"(?:yyyy|yy|mm|m|dd|d)(?:(?:[-/ ]|\\-|\\/|\\ )(?:yyyy|yy|mmm|mm|m|dd|d)){1,2}"
_DATE_CODE = re.compile(rf"(?:\[\$-[0-9A-Fa-f]+\])?{_DAY}(?:\\? hh?:mm(?::ss)?)?(?:;@)?|hh?:mm(?::ss)?")
_EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - a cell has no zone
_FIRST_DAY, _LAST_DAY = 61, 2_958_465  # before it Excel has a day that never was


@dataclass(slots=True)
class RawCell:
    """`style` and `text` are None where the XML has none."""

    type: str | None
    style: str | None
    text: str | None = None
    inline: bool = False
    marked: bool = False
    formula: bool = False

    @property
    def shapes(self) -> set[str]:
        """What the XML around its text is like."""
        found = {name for name in ("inline", "marked", "formula") if getattr(self, name)}
        return found | {"text"} if self.type == "str" else found


@dataclass(slots=True)
class RawRow:
    """Cells by column, from 0."""

    number: int
    hidden: bool
    cells: dict[int, RawCell] = field(default_factory=dict)


class Values:
    """Turns cells into the values calamine gives for them."""

    def __init__(self, strings: list[str], styles: Sequence[Kind]) -> None:
        self.strings, self.styles = strings, styles
        self.has_blank = not all(map(str.strip, strings))
        self.kinds: dict[bytes, Kind | None] = {}

    def kind(self, type_: str | None, style: str | None) -> Kind:
        if type_ is not None and type_ != "n":
            return _TYPES.get(type_, "unknown")
        if style is None:
            return "number"
        return self.styles[int(style)] if int(style) < len(self.styles) else "unknown"

    def cell(self, cell: RawCell) -> Cell:
        """Raises Unusual, ValueError or IndexError."""
        if cell.text is None:
            return ""
        kind = self.kind(cell.type, cell.style)
        if (kind == "inline") != cell.inline:
            raise Unusual("inline")
        return self.value(kind, cell.text)

    def value(self, kind: Kind, text: str) -> Cell:
        """Raises Unusual, ValueError or IndexError."""
        if kind in ("text", "inline"):
            return text
        if not text:
            return ""
        if kind == "error":
            return ErrorText(text)
        if kind == "bool":
            if text in ("0", "1"):
                return text == "1"
        elif _NUMBER.fullmatch(text):
            if kind == "shared" and text.isdigit():
                return self.strings[int(text)]
            if kind == "number":
                return float(text)
            if kind == "date":
                return _date(float(text))
        raise Unusual(f"{kind} {text[:20]}")

    def column(self, attributes: Sequence[bytes | None], texts: Sequence[bytes | None], *, inline: bool) -> list[Cell]:
        """The same for cells given by their attributes' XML; None where there is no cell, and no text."""
        kinds = {said: self._kind_of(said) for said in set(attributes) if said is not None}
        only = set(kinds.values())
        if any(kind is not None and (kind == "inline") != inline for kind in only):
            raise Unusual("inline")
        if len(only) == 1 and None not in only and None not in texts:
            found = self._all_of(only.pop(), texts)  # type: ignore[arg-type]
            if found is not None:
                return found
        cells: list[Cell] = []
        for said, text in zip(attributes, texts, strict=True):
            kind = None if said is None else kinds[said]
            if (kind is None) != (text is None):
                raise Unusual("half a cell")
            cells.append("" if kind is None or text is None else self.value(kind, text.decode()))
        return cells

    def _all_of(self, kind: Kind | None, texts: Sequence[bytes]) -> list[Cell] | None:
        if kind == "shared":
            numbers = list(map(int, texts))
            if min(numbers) < 0:
                raise Unusual("negative")
            return list(map(self.strings.__getitem__, numbers))
        if kind == "number" and all(texts):
            return list(map(float, texts))
        if kind in ("text", "inline"):
            return list(b"\0".join(texts).decode().split("\0"))
        return None

    def _kind_of(self, attributes: bytes) -> Kind | None:
        """The kind of cell that these attributes make, or None for a cell without content."""
        if attributes not in self.kinds:
            match = _ATTRIBUTES.fullmatch(attributes)
            if not match:
                raise Unusual("attributes")
            style, type_, end = (part.decode() if part is not None else None for part in match.groups())
            self.kinds[attributes] = None if end else self.kind(type_, style)
        return self.kinds[attributes]


class RowParser:
    """Parses rows of any shape."""

    def __init__(self) -> None:
        self.runs: list[list[RawRow]] = []
        self.path: list[str] = []
        self.row = RawRow(0, hidden=False)
        self.cell = RawCell(None, None)
        self.at = -1
        self.marked = False

    def parse(self, runs: Sequence[bytes]) -> list[list[RawRow]]:
        """The rows of each run of XML. Raises Unusual or ExpatError."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(b"<sheetData>", False)
        for run in runs:
            self.runs.append([])
            parser.Parse(run, False)
        parser.Parse(b"</sheetData>", True)
        return self.runs

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in _KNOWN.get(self.path[-1] if self.path else "", (tag,)):
            raise Unusual(tag)
        self.path.append(tag)
        self.marked = attributes.get("xml:space") == "preserve"
        if tag == "row":
            number = attributes.get("r", "")
            if not _ROW.fullmatch(number):
                raise Unusual("row without number")
            self.row, self.at = RawRow(int(number), attributes.get("hidden") in ("1", "true")), -1
            self.runs[-1].append(self.row)
        elif tag == "c":
            self._place(attributes.get("r", ""))
            self.cell = RawCell(attributes.get("t"), attributes.get("s"))
            self.row.cells[self.at] = self.cell
        elif tag in ("v", "is"):
            if self.cell.text is not None:
                raise Unusual("two values")
            self.cell.text, self.cell.inline = "", tag == "is"
        elif tag == "f":
            self.cell.formula = True

    def _place(self, reference: str) -> None:
        match = _REFERENCE.fullmatch(reference)
        if not match or int(match[2]) != self.row.number:
            raise Unusual("cell without place")
        index = index_of(match[1])
        if index <= self.at:
            raise Unusual("cells in no order")
        self.at = index

    def _end(self, _tag: str) -> None:
        self.path.pop()

    def _characters(self, text: str) -> None:
        if self.path[-1] == "v":
            self.cell.text = (self.cell.text or "") + text
        elif self.path[-1] == "t" and "rPh" not in self.path:
            self.cell.marked |= self.marked
            self.cell.text = (self.cell.text or "") + (text if self.marked else text.strip(WHITESPACE))


_KNOWN = {
    "": ("sheetData",),
    "sheetData": ("row",),
    "row": ("c",),
    "c": ("v", "f", "is"),
    "v": (),
    "f": (),
    "is": ("t", "r", "rPh", "phoneticPr"),
    "r": ("t", "rPr"),
    "rPh": ("t",),
    "t": (),
    "phoneticPr": (),
}


def style_kinds(book: ZipFile) -> list[Kind]:
    """For each cell format of the workbook what a number in it is. Raises Unusual, KeyError or what reading raises."""
    if _STYLES not in book.NameToInfo:
        return []
    if book.NameToInfo[_STYLES].file_size > _STYLES_BYTES:
        raise Unusual("styles")
    codes: dict[str, str] = {}
    kinds: list[Kind] = []
    path: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        path.append(tag)
        if tag == "numFmt" and path[-2:-1] == ["numFmts"]:
            codes[attributes["numFmtId"]] = attributes["formatCode"]
        elif tag == "xf" and path[-2:-1] == ["cellXfs"]:
            number = attributes.get("numFmtId", "0")
            kinds.append(_kind_of_format(int(number), codes.get(number)))

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, lambda _tag: path.pop()
    parser.Parse(book.read(_STYLES), True)
    return kinds


def index_of(letters: str) -> int:
    """A column's index, from 0."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1


def _kind_of_format(number: int, code: str | None) -> Kind:
    if code is None:
        return "number" if number in _PLAIN_FORMATS else "date" if number in _DATE_FORMATS else "unknown"
    if _PLAIN_CODE.fullmatch(code):
        return "number"
    return "date" if _DATE_CODE.fullmatch(code) else "unknown"


@lru_cache(50_000)
def _date(serial: float) -> dt.date | dt.datetime | dt.time:
    milliseconds = int(serial * 86_400_000 + 0.5)
    if 0 <= serial < 1 and milliseconds < 86_400_000:
        return (_EPOCH + dt.timedelta(milliseconds=milliseconds)).time()
    if not _FIRST_DAY <= serial < _LAST_DAY:
        raise Unusual("date")
    value = _EPOCH + dt.timedelta(milliseconds=milliseconds)
    return value.date() if serial.is_integer() else value
