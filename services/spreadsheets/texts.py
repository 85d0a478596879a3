"""csv, tsv and txt: finds encoding and delimiter, and reads rows without holding the file in memory."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_LE, getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from services.errors import BadFile

# Strict decoding of the whole file: charset guessers look at its beginning and call UTF-8 that is cut inside a
# character mac_cyrillic. What is not UTF-8 is tried in the order of `_old_encodings`.
_BOMS = ((BOM_UTF32_LE, "utf-32"), (BOM_UTF8, "utf-8-sig"), (BOM_UTF16_LE, "utf-16"), (BOM_UTF16_BE, "utf-16"))
_DELIMITERS = ",;\t|"
_SEPARATORS = ",;\t|，；、"
_BETWEEN = re.compile(f"[{_SEPARATORS}]")
_BLOCK = 1 << 18
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]|[\x80-\xff]")
_PAIRS_ENOUGH = 2_000
# Where the commonest characters of each encoding stand: GB 2312 level 1, Big5 level 1, and punctuation.
_COMMON = {
    "gb18030": re.compile(rb"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]"),
    "cp950": re.compile(rb"[\xa1-\xa3\xa4-\xc6][\x40-\x7e\xa1-\xfe]"),
}
_COMMON_ENOUGH = 0.5
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x19\x7f]")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a text is written. `quotes_match` is False where a quote is never closed: then each line stands alone."""

    encoding: str
    delimiter: str
    quotes_match: bool
    skip_lines: int
    has_quotes: bool


def shape_of(file: BinaryIO) -> Shape:
    """Find out how a text is written, reading it once. Raises BadFile if it is no text at all."""
    encoding, quotes = encoding_of(file)
    file.seek(0)
    sample = getincrementaldecoder(encoding)().decode(file.read(_BLOCK))
    if _NOT_TEXT.search(sample):
        raise BadFile("not_a_spreadsheet", seen="binary")
    lines = [line[:10_000] for line in sample.splitlines()[:50]]
    if lines and (said := re.fullmatch(r'"?sep=(.)"?', lines[0], re.IGNORECASE)):
        return Shape(encoding, said[1], quotes % 2 == 0, 1, quotes > 0)
    return Shape(encoding, _delimiter(lines), quotes % 2 == 0, 0, quotes > 0)


def encoding_of(file: BinaryIO) -> tuple[str, int]:
    """A text's encoding, and how many double quotes it has. Raises BadFile if it is in none."""
    file.seek(0)
    head = file.read(_BLOCK)
    with_bom = [encoding for bom, encoding in _BOMS if head.startswith(bom)][:1]
    for encoding in with_bom or _without_bom(file, head):
        quotes = _count_quotes(file, encoding)
        if quotes is not None:
            return encoding, quotes
    raise BadFile("truncated", error="not in its encoding")


def rows_of(file: BinaryIO, shape: Shape) -> Iterator[list[str]]:
    """Yield the rows; one with quoted line breaks is one row, an empty line an empty one."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=shape.encoding, newline="")
    lines = islice(text, shape.skip_lines, None)
    try:
        if shape.quotes_match:
            yield from csv.reader(lines, delimiter=shape.delimiter)
        else:
            for line in lines:
                yield next(csv.reader((line,), delimiter=shape.delimiter), [])
    except csv.Error as error:
        raise BadFile("truncated", error=str(error)) from error
    finally:
        text.detach()  # the file stays the caller's to close


def cells_of_only_line(file: BinaryIO, shape: Shape) -> list[str]:
    """Where a text is one line, what stands between its separators, Chinese ones too; else nothing."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=shape.encoding)
    try:
        line = text.readline()
        while not line.strip() and line:
            line = text.readline()
        while rest := text.read(_BLOCK):
            if rest.strip():
                return []
        return [cell.strip() for cell in _BETWEEN.split(line.strip().rstrip(_SEPARATORS))]
    finally:
        text.detach()  # the file stays the caller's to close


def _without_bom(file: BinaryIO, head: bytes) -> Iterator[str]:
    odd, even = head[1::2].count(0), head[::2].count(0)  # digits, delimiters and line ends have one zero byte each
    if odd > len(head) // 50 and odd > 8 * even:
        yield "utf-16-le"
    elif even > len(head) // 50 and even > 8 * odd:
        yield "utf-16-be"
    else:
        yield "utf-8"
        yield from _old_encodings(file)  # looks at the whole file, so only where it must


def _old_encodings(file: BinaryIO) -> tuple[str, ...]:
    """The encodings of before Unicode, the likeliest first.

    Nearly any Western text decodes as Chinese somehow, and either Chinese encoding as the other: what counts is
    whether common characters come out.
    """
    file.seek(0)
    pairs: list[bytes] = []
    while len(pairs) < _PAIRS_ENOUGH and (block := file.read(_BLOCK)):
        pairs += _PAIR.findall(block)
    share = {name: sum(map(bool, map(rule.match, pairs))) / (len(pairs) or 1) for name, rule in _COMMON.items()}
    chinese = sorted(share, key=lambda name: -share[name])
    western = ["cp1252", "latin-1"]
    return tuple([*chinese, *western] if max(share.values()) >= _COMMON_ENOUGH else ["cp1252", *chinese, "latin-1"])


def _count_quotes(file: BinaryIO, encoding: str) -> int | None:
    """The number of double quotes, or None if the file is not in this encoding."""
    file.seek(0)
    decoder = getincrementaldecoder(encoding)()
    quotes = 0
    try:
        while block := file.read(_BLOCK):
            quotes += decoder.decode(block).count('"')
        quotes += decoder.decode(b"", final=True).count('"')
    except UnicodeDecodeError:
        return None
    return quotes


def _delimiter(lines: list[str]) -> str:
    """The delimiter that gives most lines one and the same number of cells, more than one; a comma if none does."""
    best, best_score = ",", (0, 0)
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if len(row) > 1]
        if widths:
            usual = max(set(widths), key=widths.count)
            best, best_score = max((best, best_score), (delimiter, (widths.count(usual), usual)), key=lambda b: b[1])
    return best
