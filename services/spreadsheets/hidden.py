"""What python-calamine does not show of an xlsx or ods: hidden rows and columns, and in an xlsx which formulas failed.

A sheet whose XML does not say so is not parsed here, only inflated and searched.
"""

from __future__ import annotations

import posixpath
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from services.errors import BadFile
from services.spreadsheets.cells import index_of
from services.spreadsheets.tables import Hidden

Start = Callable[[str, dict[str, str]], None]

_BLOCK = 1 << 17
_UNREADABLE = (BadZipFile, zlib.error, EOFError, NotImplementedError)
_MAX_ROWS = 1 << 21  # twice what a sheet can have
_MAX_COLUMNS = 1 << 14
_ODS_CONTENT = "content.xml"
_STATES = ("visible", "hidden", "veryHidden")
_TRUE = ("1", "true")
_HIDDEN_IN_ODS = ("collapse", "filter")
# LibreOffice writes hidden="false" at every row.
_SAYS_HIDDEN_OR_ERROR = re.compile(rb"""hidden\s*=\s*["'](?:1|true)|\st\s*=\s*["']e["']""")
_SAYS_HIDDEN_IN_ODS = re.compile(rb"""visibility\s*=\s*["'](?:collapse|filter)""")
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A sheet of an xlsx, as the workbook lists it. `known` is False where we may not have understood all of it."""

    name: str
    path: str
    size: int
    visible: bool
    worksheet: bool
    known: bool


class Package:
    """The zip file that an xlsx or ods is. `sheets` is empty for an ods."""

    def __init__(self, file: BinaryIO) -> None:
        self.zip = ZipFile(file)
        self.sheets = self._sheets() if "xl/workbook.xml" in self.zip.NameToInfo else []
        self.size = sum(part.size for part in self.sheets) or 1
        self.ods: dict[str, Hidden] | None = None

    def hidden_in(self, sheet: str) -> Hidden:
        """What is hidden in a sheet. Raises BadFile where its XML is broken."""
        if _ODS_CONTENT in self.zip.NameToInfo:
            if self.ods is None:
                self.ods = self._hidden_in_ods() if self._says(_ODS_CONTENT, _SAYS_HIDDEN_IN_ODS) else {}
            return self.ods.get(sheet, Hidden())
        path = next((part.path for part in self.sheets if part.name == sheet), "")
        if path in self.zip.NameToInfo and self._says(path, _SAYS_HIDDEN_OR_ERROR):
            return self._hidden_in_xlsx(path)
        return Hidden()

    def _sheets(self) -> list[SheetPart]:
        listed: list[tuple[str, str, str]] = []
        links: dict[str, tuple[str, str]] = {}

        def sheet(tag: str, attributes: dict[str, str]) -> None:
            if tag == "sheet":
                link = next((value for key, value in attributes.items() if key.endswith(" id")), "")
                listed.append((attributes.get("name", ""), link, attributes.get("state", "visible")))

        def link(tag: str, attributes: dict[str, str]) -> None:
            if tag == "Relationship":
                path = posixpath.normpath(posixpath.join("/xl", attributes.get("Target", ""))).lstrip("/")
                links[attributes.get("Id", "")] = path, attributes.get("Type", "").rpartition("/")[2]

        self._parse("xl/workbook.xml", sheet)
        if "xl/_rels/workbook.xml.rels" in self.zip.NameToInfo:
            self._parse("xl/_rels/workbook.xml.rels", link)
        names = [name for name, _, _ in listed]
        found = []
        for name, key, state in listed:
            path, kind = links.get(key, ("", ""))
            known = path in self.zip.NameToInfo and names.count(name) == 1 and state in _STATES
            size = self.zip.NameToInfo[path].file_size if path in self.zip.NameToInfo else 1
            found.append(SheetPart(name, path, size, state == "visible", kind == "worksheet", known))
        return found

    def _hidden_in_xlsx(self, part: str) -> Hidden:
        sheet = _Sheet()
        self._parse(part, sheet.start, sheet.text)
        return sheet.hidden

    def _hidden_in_ods(self) -> dict[str, Hidden]:
        sheets: dict[str, Hidden] = {}
        hidden, row, column = Hidden(), 0, 0

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal hidden, row, column
            said = {name.rpartition(" ")[2]: value for name, value in attributes.items()}
            if tag == "table":
                row = column = 0
                hidden = sheets.setdefault(said.get("name", ""), Hidden())
            elif tag == "table-row":
                repeated = _number(said.get("number-rows-repeated"), 1)
                if said.get("visibility") in _HIDDEN_IN_ODS:
                    _hide(hidden, row + 1, repeated)
                row += repeated
            elif tag == "table-column":
                repeated = _number(said.get("number-columns-repeated"), 1)
                if said.get("visibility") in _HIDDEN_IN_ODS:
                    hidden.columns.update(range(column, min(column + repeated, _MAX_COLUMNS)))
                column += repeated

        self._parse(_ODS_CONTENT, start)
        return sheets

    def _says(self, part: str, rule: re.Pattern[bytes]) -> bool:
        try:
            with self.zip.open(part) as stream:
                end = b""
                while block := stream.read(_BLOCK):
                    if rule.search(end + block):
                        return True
                    end = block[-_LONGEST:]
        except _UNREADABLE as error:
            raise BadFile("truncated", error=str(error)[:200]) from error
        return False

    def _parse(self, part: str, start: Start, text: Callable[[str], None] | None = None) -> None:
        """Call `start` for every element, by its name without namespace, and `text` for what stands between them."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler = lambda tag, attributes: start(tag.rpartition(" ")[2], attributes)
        parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            with self.zip.open(part) as stream:
                while block := stream.read(_BLOCK):
                    parser.Parse(block, False)
                parser.Parse(b"", True)
        except (expat.ExpatError, *_UNREADABLE) as error:
            raise BadFile("truncated", error=str(error)[:200]) from error


class _Sheet:
    """What is found in a sheet of an xlsx."""

    def __init__(self) -> None:
        self.hidden = Hidden()
        self.row, self.column = 0, -1
        self.is_error = self.in_value = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.in_value = tag == "v" and self.is_error
        if tag == "c":
            letters = attributes.get("r", "").rstrip("0123456789")
            self.column = index_of(letters) if letters else self.column + 1
            self.is_error = attributes.get("t") == "e"
        elif tag == "row":
            self.row, self.column = _number(attributes.get("r"), self.row + 1), -1
            if attributes.get("hidden") in _TRUE:
                _hide(self.hidden, self.row, 1)
        elif tag == "col" and attributes.get("hidden") in _TRUE:
            first = _number(attributes.get("min"), 1)
            self.hidden.columns.update(range(first - 1, min(_number(attributes.get("max"), first), _MAX_COLUMNS)))

    def text(self, text: str) -> None:
        if self.in_value and text.strip():
            cells = self.hidden.errors.setdefault(self.row, {})
            cells[self.column] = cells.get(self.column, "") + text.strip()


def _refuse_doctype(*_: object) -> None:
    """No spreadsheet has one; with it come entities that expand without end."""
    raise BadFile("truncated", error="DOCTYPE")


def _number(text: str | None, default: int) -> int:
    return int(text[:9]) if text and text.isascii() and text.isdigit() else default


def _hide(hidden: Hidden, row: int, count: int) -> None:
    """Note that `count` rows from `row`, counted from 1, are hidden."""
    last = min(row - 1 + count, _MAX_ROWS)
    if last > row - 1:
        hidden.rows.extend(bytes(max(0, last - len(hidden.rows))))
        hidden.rows[row - 1 : last] = b"\1" * (last - row + 1)
