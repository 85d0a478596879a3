"""Where the numbers are: finds a sheet's header and its number column, by name or else by content."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

HEADER_ROWS = 20  # a header further down is data
SAMPLE_ROWS = 200  # rows judged by content

Cell = object  # what calamine or csv give: str, float, int, bool, date, time …

_EXACT_NAMES = """
    mobile mobiles mobileno mobilenum mobilenumber mobilenumbers mobilephone mobilephoneno mobilephonenumber
    phone phones phoneno phonenum phonenumber phonenumbers tel telno telephone telephoneno telephonenumber
    cell cellno cellphone cellphonenumber cellnumber number numbers msisdn msisdns recipient recipients
    contactnumber contactphone contactmobile customerphone customermobile smsnumber
    手机 手机号 手机号码 手机号碼 手機 手機號 手機號碼 客户手机号 客户手机 客户手机号码 移动电话 移动电话号码
    电话 电话号码 電話 電話號碼
    联系电话 联系手机 联系号码 联系人手机 联系人电话 聯繫電話 聯絡電話 收件人手机 收件人手机号 收货人手机 号码 號碼
"""
_EXACT = frozenset(_EXACT_NAMES.split())
_LOOSE = re.compile(r"mobile|phone|msisdn|tel(?:no|num|$)|手机|手機|电话|電話|号码|號碼")
_BRACKETED = re.compile(r"[(（\[【<].*?[)）\]】>]")
_NOT_WORD = re.compile(r"[\W_]+")

_CLEAN = re.compile(r"[\s\-().'’\"\u2010-\u2015\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+")
_SURE = re.compile(r"(?:^(?:tel:)?(?:\+|00)[1-9]\d{7,14}$)|(?:(?<!\d)(?:86)?1[3-9]\d{9}(?!\d))")
_LIKELY = re.compile(r"^\+?\d{7,15}$")
_DATE = re.compile(r"^\s*(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}")
_FLOAT_TAIL = re.compile(r"(?<=\d)\.0+\s*$")

NAME_CHARACTERS = 80  # of headers and samples; more is no name and no number
NAMED_ENOUGH = 0.1  # a column called "mobile" is one if a tenth of it looks so
CONTENT_ENOUGH = 0.4  # a column without such a name needs this much
LOOSE_BONUS = 0.25


@dataclass(frozen=True, slots=True)
class Column:
    """A column that may hold the numbers. `header` is "" where the sheet has none; `samples` are up to three cells."""

    index: int
    header: str
    samples: tuple[str, ...]

    @property
    def letter(self) -> str:
        """The name a spreadsheet shows: A, B, …, AA."""
        name, left = "", self.index + 1
        while left:
            left, digit = divmod(left - 1, 26)
            name = chr(ord("A") + digit) + name
        return name


@dataclass(frozen=True, slots=True)
class Layout:
    """`data_from` is the position, in the rows given, of the first row under the header; `candidates` best first."""

    number: Column | None
    candidates: tuple[Column, ...]
    data_from: int
    headers: tuple[str, ...]


def text_of(value: Cell) -> str:
    """Write a cell as a person sees it; a number that is whole keeps every digit and gets no `.0`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)


def find(rows: Sequence[Sequence[Cell]], wanted: str | None = None, offset: int = 0) -> Layout:
    """Find header and number column in a sheet's first rows.

    `offset` is how many columns are left of the first one given. `wanted` is a person's own choice: a header, or a
    column's letter. Names are compared without case, spaces, underscores and what stands in brackets.
    """
    table = [[text_of(cell).strip()[:NAME_CHARACTERS] for cell in row] for row in rows]
    top = [no for no, row in enumerate(table) if any(row)][:HEADER_ROWS]
    header_at, rank = _header_by_name(table, top, wanted)
    start = 0 if header_at is None else header_at + 1
    scores = _scores(table[start:])
    best = _wanted(wanted, table, header_at, offset) if wanted else _best(rank, scores)
    if not best:
        return Layout(None, (), start, tuple(cell for cell in table[top[0]] if cell)[:20] if top else ())
    if header_at is None:
        header_at = _header_above_content(table, top, best[0])
        start = 0 if header_at is None else header_at + 1
    header = table[header_at] if header_at is not None else []
    columns = tuple(_column(table[start:], header, index, offset) for index in best)
    return Layout(columns[0], columns, start, tuple(cell for cell in header if cell)[:20])


def fold(name: str) -> str:
    """A header as it is compared: width, case, spaces, punctuation and bracketed remarks do not count."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _NOT_WORD.sub("", _BRACKETED.sub("", plain)) or _NOT_WORD.sub("", plain)


def likeness(cell: str) -> float:
    """How much a cell looks like a phone number: 1 surely, 0.5 it has the digits, 0 not at all."""
    if _DATE.match(cell):
        return 0
    plain = unicodedata.normalize("NFKC", _FLOAT_TAIL.sub("", cell))
    if _SURE.search(_CLEAN.sub("", plain)) or _SURE.search(plain):
        return 1
    return 0.5 if _LIKELY.match(_CLEAN.sub("", plain)) else 0


def _header_by_name(
    table: Sequence[Sequence[str]], top: Sequence[int], wanted: str | None
) -> tuple[int | None, dict[int, int]]:
    """The header row, and per column how surely it is named: 2 exactly, 1 loosely.

    A row with a number in it is data, also when it says "手机" because that is what the customer bought; and below data
    only an exact name is a header (above it is a title with a hotline).
    """
    names = _EXACT | {fold(wanted)} if wanted else _EXACT
    loose: tuple[int | None, dict[int, int]] = (None, {})
    above_data = True
    for no in top:
        if any(likeness(cell) == 1 for cell in table[no]):
            above_data = False
            continue
        rank = {}
        for index, cell in enumerate(table[no]):
            if cell and len(cell) <= 40 and not likeness(cell):
                folded = fold(cell)
                if folded in names:
                    rank[index] = 2
                elif above_data and _LOOSE.search(folded):
                    rank[index] = 1
        if 2 in rank.values():
            return no, rank
        if rank and loose[0] is None:
            loose = no, rank
    return loose


def _scores(table: Sequence[Sequence[str]]) -> dict[int, float]:
    """Per column the average likeness of its filled cells."""
    total: dict[int, float] = {}
    filled: dict[int, int] = {}
    for row in table[:SAMPLE_ROWS]:
        for index, cell in enumerate(row):
            if cell:
                filled[index] = filled.get(index, 0) + 1
                total[index] = total.get(index, 0) + likeness(cell)
    return {index: total[index] / count for index, count in filled.items()}


def _best(rank: dict[int, int], scores: dict[int, float]) -> list[int]:
    """Columns that may be meant, best first; one whose content is much weaker than the best's is not meant."""
    exact = {index: scores.get(index, 0) for index, how in rank.items() if how == 2}
    meant = {index: score for index, score in exact.items() if score >= NAMED_ENOUGH}
    if not meant:
        by_content = {index: score + LOOSE_BONUS * (index in rank) for index, score in scores.items() if score}
        meant = {index: score for index, score in by_content.items() if score >= CONTENT_ENOUGH}
    if not meant:
        return sorted(exact)[:1]
    enough = max(meant.values()) * 0.6
    return sorted((i for i, score in meant.items() if score >= enough), key=lambda i: (-meant[i], i))


def _wanted(wanted: str, table: Sequence[Sequence[str]], header_at: int | None, offset: int) -> list[int]:
    header = table[header_at] if header_at is not None else []
    named = [index for index, cell in enumerate(header) if fold(cell) == fold(wanted)]
    width = max((len(row) for row in table), default=0)
    return named[:1] or [i for i in range(width) if Column(i + offset, "", ()).letter == wanted.strip().upper()]


def _header_above_content(table: Sequence[Sequence[str]], top: Sequence[int], index: int) -> int | None:
    """A label over the first cell with a digit is the header, whatever it says; of several the one in the fullest row.

    Of equally full rows it is the first: a title taken for the header costs one row called invalid, a first customer
    with "n/a" taken for it would be lost without a word.
    """
    labels = []
    for no in top:
        cell = table[no][index] if index < len(table[no]) else ""
        if any(character.isdigit() for character in cell):
            break
        if cell:
            labels.append(no)
    else:
        return None
    return max(labels, key=lambda no: sum(map(bool, table[no])), default=None)


def _column(table: Sequence[Sequence[str]], header: Sequence[str], index: int, offset: int) -> Column:
    filled = (row[index] for row in table if index < len(row) and row[index])
    samples = tuple(cell for _, cell in zip(range(3), filled, strict=False))
    return Column(index + offset, header[index] if index < len(header) else "", samples)
