"""xls files that python-calamine cannot read as they are; it gets a copy with what it stumbles over taken out.

It parses every formula, and panics at text in one of Excel 95: the formula's result stands beside it and is all that is
wanted. And it takes the Chinese, Japanese or Korean text of Excel 95 for something else: the copy says that it is
Western, and `Old.text` undoes that.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

_END = 0xFFFFFFFA  # sectors from here on mean "no further one"
_STREAMS = ("Workbook", "Book")
_BOF, _FORMULA, _CODEPAGE = 0x0809, 0x0006, 0x0042
_EXCEL_95 = 0x0500
_EAST_ASIAN = {932: "cp932", 936: "gb18030", 949: "cp949", 950: "cp950"}
_WESTERN = 1252
_BYTES = {bytes([code]).decode("cp1252", "replace"): code for code in range(256)} | {
    chr(code): code for code in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


@dataclass(frozen=True, slots=True)
class Old:
    """A copy in memory for calamine to read."""

    file: BinaryIO
    encoding: str | None

    def text(self, text: str) -> str:
        """What a text read from the copy really says."""
        if self.encoding is None or text.isascii():
            return text
        return bytes(_BYTES.get(character, 0x3F) for character in text).decode(self.encoding, "replace")

    def row(self, row: Sequence[object]) -> Sequence[object]:
        """The same for a row's texts."""
        return [self.text(cell) if isinstance(cell, str) else cell for cell in row]


def old(file: BinaryIO, *, always: bool = False) -> Old | None:
    """A copy of an Excel 95 file, or with `always` of any; None if it is another or damaged."""
    file.seek(0)
    data = bytearray(file.read())
    try:
        book = _Book(data)
        if not always and book.version != _EXCEL_95:
            return None
        encoding = book.simplify()
    except (struct.error, IndexError):
        return None
    copy = os.fdopen(os.memfd_create("xls"), "w+b")
    copy.write(data)
    copy.flush()
    return Old(copy, encoding)


class _Book:
    """The records of a workbook inside the file, which is changed in place ([MS-XLS] 2.1.4)."""

    def __init__(self, data: bytearray) -> None:
        self.data, self.sector = data, 1 << data[30]
        self.places = _stream(data, self.sector)
        kind, self.version = self.number(0), self.number(4)
        if kind != _BOF:
            raise IndexError

    def place(self, at: int) -> int:
        return self.places[at // self.sector] + at % self.sector

    def number(self, at: int) -> int:
        return self.data[self.place(at)] | self.data[self.place(at + 1)] << 8

    def write(self, at: int, number: int) -> None:
        self.data[self.place(at)], self.data[self.place(at + 1)] = number & 0xFF, number >> 8

    def simplify(self) -> str | None:
        """Empty all formulas; call East Asian text of Excel 95 Western and return its encoding."""
        encoding = None
        at, end = 0, len(self.places) * self.sector
        while at + 4 <= end:
            kind, length = self.number(at), self.number(at + 2)
            if kind == _FORMULA and length >= 22:
                self.write(at + 24, 0)
            elif kind == _CODEPAGE and self.version == _EXCEL_95 and (known := _EAST_ASIAN.get(self.number(at + 4))):
                self.write(at + 4, _WESTERN)
                encoding = known
            at += 4 + length
        return encoding


def _stream(data: bytearray, size: int) -> list[int]:
    """Where in the file the sectors of the workbook's stream begin, in order ([MS-CFB] 2.3 to 2.6)."""
    fat: list[int] = []
    for sector in _fat_sectors(data, size):
        fat += (entry for (entry,) in struct.iter_unpack("<I", data[(sector + 1) * size : (sector + 2) * size]))
    for place in _chain(fat, struct.unpack_from("<I", data, 48)[0], size):
        for entry in range(place, place + size, 128):
            length = struct.unpack_from("<H", data, entry + 64)[0]
            name = bytes(data[entry : entry + max(0, length - 2)]).decode("utf-16-le", "replace")
            if name in _STREAMS:
                return list(_chain(fat, struct.unpack_from("<I", data, entry + 116)[0], size))
    return []


def _fat_sectors(data: bytearray, size: int) -> Iterator[int]:
    yield from (sector for sector in struct.unpack_from("<109I", data, 76) if sector < _END)
    following, left = struct.unpack_from("<2I", data, 68)
    while following < _END and left:
        *sectors, following = struct.unpack_from(f"<{size // 4}I", data, (following + 1) * size)
        yield from (sector for sector in sectors if sector < _END)
        left -= 1


def _chain(fat: list[int], sector: int, size: int) -> Iterator[int]:
    left = len(fat)
    while sector < _END and left:
        yield (sector + 1) * size
        sector = fat[sector]
        left -= 1
