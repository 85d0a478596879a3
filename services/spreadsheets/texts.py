"""csv, tsv and txt: finds encoding and delimiter, and reads rows without holding the file in memory."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_LE, getincrementaldecoder
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, tee
from typing import BinaryIO

from services.errors import BadFile
from services.spreadsheets import columns

# Strict decoding of the whole file: charset guessers look at its beginning and call UTF-8 that is cut inside a
# character mac_cyrillic. What is not UTF-8 is tried in the order of `_old_encodings`.
_BOMS = ((BOM_UTF32_LE, "utf-32"), (BOM_UTF8, "utf-8-sig"), (BOM_UTF16_LE, "utf-16"), (BOM_UTF16_BE, "utf-16"))
_DELIMITERS = ",;\t|"
# What people type instead: a Chinese keyboard's, and signs that no cell is likely to hold. Spaces stand inside numbers,
# and `#` before an extension.
_RARE_DELIMITERS = "，；、：｜^~:"
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
_LINE_END = re.compile("\r\n|\r|\n")
_CELL_LINES = 20  # a cell of more may be rows; one of fewer is looked at line by line


@dataclass(frozen=True, slots=True)
class Shape:
    """How a text is written. `quotes_match` is False where a quote is never closed: then each line stands alone.

    `width` is how many cells most rows have.
    """

    encoding: str
    delimiter: str
    quotes_match: bool
    skip_lines: int
    has_quotes: bool
    width: int = 1


def shape_of(file: BinaryIO) -> Shape:
    """Find out how a text is written, reading it once. Raises BadFile if it is no text at all."""
    encoding, quotes = encoding_of(file)
    file.seek(0)
    sample = getincrementaldecoder(encoding)().decode(file.read(_BLOCK))
    if _NOT_TEXT.search(sample):
        raise BadFile("not_a_spreadsheet", seen="binary")
    lines = [line[:10_000] for line in sample.splitlines()[:50]]
    if lines and (said := re.fullmatch(r'"?sep=(.)"?', lines[0], re.IGNORECASE)):
        width = _usual(_widths(lines[1:], said[1]))[0]
        return Shape(encoding, said[1], quotes % 2 == 0, 1, quotes > 0, width)
    delimiter, width = _delimiter(lines)
    return Shape(encoding, delimiter, quotes % 2 == 0, 0, quotes > 0, width)


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
        yield from _quoted_rows(lines, shape) if shape.quotes_match else _single_lines(lines, shape)
    except csv.Error as error:
        raise BadFile("truncated", error=str(error)) from error
    finally:
        text.detach()  # the file stays the caller's to close


def _single_lines(lines: Iterable[str], shape: Shape) -> Iterator[list[str]]:
    for line in lines:
        yield next(csv.reader((line,), delimiter=shape.delimiter), [])


def _quoted_rows(lines: Iterable[str], shape: Shape) -> Iterator[list[str]]:
    """The rows by the rules of quoting; where a quote was none, the lines it reaches over are rows each."""
    ahead, behind = tee(lines)
    # Strictly, a closing quote ends its cell: a name that begins with a quote does not close the one before.
    reader = csv.reader(ahead, delimiter=shape.delimiter, strict=True)
    read = 0
    while True:
        try:
            for row in reader:
                count = reader.line_num - read
                if count > 1:
                    if _is_several(row, shape):
                        break
                    next(islice(behind, count - 2, None))
                read += count
                next(behind)
                yield row
            else:
                return
        except csv.Error:  # also of a cell that is too long to be one
            pass
        spoiled = list(islice(behind, reader.line_num - read))
        read = reader.line_num
        yield from _single_lines(spoiled, shape)


def _is_several(row: Sequence[str], shape: Shape) -> bool:
    """Whether a row of several lines is more than one."""
    return len(row) > shape.width > 1 or any(_holds_rows(cell, shape) for cell in row)


def _holds_rows(cell: str, shape: Shape) -> bool:
    """Whether a cell of several lines is rows of the file, between two quotes that people wrote as ditto marks, say.

    Addresses and notes of several lines hold delimiters and numbers too, but no line of them is like a row.
    """
    lines = _LINE_END.split(cell)
    if len(lines) < 2:
        return False
    rows = [line for line in lines if line.count(shape.delimiter) + 1 == shape.width]
    if len(lines) > _CELL_LINES and 2 * len(rows) > len(lines):
        return True
    if shape.width < 2:
        return False
    # A quote that opens or closes at the wrong side of a delimiter stands alone in its cell.
    if lines[0].startswith(shape.delimiter) or lines[-1].endswith(shape.delimiter):
        return True
    return sum(max(map(columns.likeness, line.split(shape.delimiter))) for line in rows) >= 1


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


def _delimiter(lines: Sequence[str]) -> tuple[str, int]:
    """The delimiter and how many cells it gives most lines; a comma if there is none.

    It is the one that sets the most phone numbers free; of several, the one that gives most lines one and the same
    number of cells, more than one, as many as possible. A rare delimiter must do so for half of the lines: a time of
    day has a colon too.
    """
    best, best_score = (",", 1), (0.0, 0, False, 0)
    filled = sum(map(bool, map(str.strip, lines)))
    for delimiter in _DELIMITERS + _RARE_DELIMITERS:
        usual, count = _usual(_widths(lines, delimiter))
        common = delimiter in _DELIMITERS
        if usual > 1 and (common or 2 * count >= filled):
            score = (_numbers_free(lines, delimiter), count, common, usual)
            best, best_score = max((best, best_score), ((delimiter, usual), score), key=lambda b: b[1])
    return best


def _widths(lines: Sequence[str], delimiter: str) -> list[int]:
    return [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]


def _usual(widths: Sequence[int]) -> tuple[int, int]:
    """The commonest width above one, and how often it stands there."""
    several = [width for width in widths if width > 1]
    return max(((width, several.count(width)) for width in set(several)), key=lambda each: each[1], default=(1, 0))


def _numbers_free(lines: Sequence[str], delimiter: str) -> float:
    """In how many lines a cell is a phone number and nothing else, by how sure it is."""
    rows = csv.reader(lines, delimiter=delimiter)
    return sum(max((columns.likeness(cell) for cell in row if columns.is_number(cell)), default=0) for row in rows)
