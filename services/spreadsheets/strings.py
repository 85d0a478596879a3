"""An xlsx's shared strings, read the way python-calamine reads them or not at all."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import IO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

_PART = "xl/sharedStrings.xml"
_BLOCK = 1 << 18
_LONGEST = 16 << 20
_ODD_BYTES, _ODD_SHARE = 1 << 20, 0.3  # LibreOffice writes mixed scripts as mixed fonts; calamine parses faster
# calamine trims what is not marked; LibreOffice marks every string.
_PLAIN = re.compile(rb"<si><t>((?![ \t\n])[^<&]++(?<![ \t\n]))</t></si>")
_MARKED = re.compile(rb'<si><t xml:space="preserve">([^<&]++)</t></si>')
WHITESPACE = " \t\r\n"
_START = re.compile(rb"<sst\b[^>]*>")
_ESCAPE = re.compile(rb"_x[0-9A-Fa-f]{4}_")
_ENCODING = re.compile(rb"""encoding=["'](?!utf-?8["'])""", re.IGNORECASE)
FAILURES = (BadZipFile, zlib.error, EOFError, NotImplementedError, expat.ExpatError, ValueError, LookupError)


class Unusual(Exception):
    """Nothing is wrong; but calamine should read this, because we may not mean the same by it."""


def check_start(xml: bytes) -> None:
    """Raise Unusual if a part may not mean what it seems to: comments, another encoding."""
    if b"<!" in xml or b"<?" in xml[5:] or _ENCODING.search(xml):
        raise Unusual("no plain beginning")


def check_plain(xml: bytes) -> bytes:
    """Raise Unusual where the same bytes do not always mean the same: comments, CDATA, line ends, `_x000D_`."""
    # One byte is searched for many times faster than two.
    if b"\r" in xml or b"\0" in xml or (b"!" in xml and b"<!" in xml) or (b"?" in xml and b"<?" in xml):
        raise Unusual("no plain XML")
    if b"_" in xml and _ESCAPE.search(xml):
        raise Unusual("an escape")
    return xml


def shared_strings(book: ZipFile) -> list[str]:
    """All of them, in order; none where the workbook has no such part. Raises Unusual."""
    if _PART not in book.NameToInfo:
        return []
    found: list[str] = []
    read = odd = 0
    try:
        with book.open(_PART) as file:
            for block in _blocks(file):
                marked = block.count(b'"preserve"') * 2 > block.count(b"<si>")
                parts = (_MARKED if marked else _PLAIN).split(block)
                gaps = parts[::2]
                texts = b"\0".join(parts[1::2]).decode().split("\0") if len(parts) > 1 else []
                if any(gaps):
                    read, odd = read + len(block), odd + sum(map(len, gaps))
                    if odd > max(_ODD_BYTES, _ODD_SHARE * read):
                        raise Unusual("too many odd strings")
                    _add_odd(found, gaps, texts)
                else:
                    found += texts
    except FAILURES as error:
        raise Unusual(str(error)) from error
    return found


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Whole strings, many at a time, without what stands around them all."""
    rest = file.read(_BLOCK)
    start = _START.search(rest)
    if not start or start[0].endswith(b"/>"):
        raise Unusual("no strings")
    check_start(rest[: start.start()])
    rest, more = rest[start.end() :], b" "
    while more and b"</sst>" not in rest:
        cut = rest.rfind(b"</si>") + 5
        if cut > 4:
            yield check_plain(rest[:cut])
            rest = rest[cut:]
        more = file.read(_BLOCK)
        rest += more
        if len(rest) > _LONGEST:
            raise Unusual("long string")
    last, end, _ = rest.partition(b"</sst>")
    if not end:
        raise Unusual("no end")
    yield check_plain(last)
    while file.read(_BLOCK):  # to the end, where the checksum is compared
        pass


def _add_odd(found: list[str], gaps: list[bytes], texts: list[str]) -> None:
    """Add a block's strings, with those between the plain ones: in several fonts, with phonetics, empty, escaped."""
    odd = _Odd().parse([gap for gap in gaps if gap])
    for gap, text in zip(gaps, [*texts, None], strict=True):
        if gap:
            found += next(odd)
        if text is not None:
            found.append(text)


class _Odd:
    """Parses strings of any kind: all texts but the phonetic ones, one behind the other."""

    def __init__(self) -> None:
        self.runs: list[list[str]] = []
        self.path: list[str] = []
        self.text: list[str] = []
        self.marked = False

    def parse(self, gaps: list[bytes]) -> Iterator[list[str]]:
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.buffer_text = True
        parser.Parse(b"<sst><gap/>" + b"<gap/>".join(gaps) + b"</sst>", True)
        return iter(self.runs)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in _KNOWN.get(self.path[-1] if self.path else "", (tag,)):
            raise Unusual(tag)
        if tag == "gap":
            self.runs.append([])
        elif tag == "si":
            self.text = []
        self.marked = attributes.get("xml:space") == "preserve"
        self.path.append(tag)

    def _end(self, tag: str) -> None:
        self.path.pop()
        if tag == "si":
            self.runs[-1].append("".join(self.text))

    def _characters(self, text: str) -> None:
        if self.path[-1] == "t" and "rPh" not in self.path:
            self.text.append(text if self.marked else text.strip(WHITESPACE))


# What each element may hold; fonts may hold anything.
_KNOWN = {
    "": ("sst",),
    "sst": ("gap", "si"),
    "gap": (),
    "si": ("t", "r", "rPh", "phoneticPr"),
    "r": ("t", "rPr"),
    "rPh": ("t",),
    "t": (),
    "phoneticPr": (),
}
