"""Where the numbers are: finds a sheet's header and its number column, by name or else by content."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

HEADER_ROWS = 20  # a header further down is data
SAMPLE_ROWS = 200  # rows judged by content

Cell = object  # what calamine or csv give: str, float, int, bool, date, time …; or an `ErrorText`


class ErrorText(str):
    """What an xlsx shows where a formula failed, `#N/A`: content, but no header, no sample and nobody's name."""

    __slots__ = ()


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
MAX_ATTRIBUTES = 100  # other columns kept; bounds a frame


@dataclass(frozen=True, slots=True)
class Column:
    """A column that may hold the numbers. `header` is "" where the sheet has none; `samples` are up to three cells.

    `choice` is what `read_numbers(chosen=…)` takes for it: the header, so that further sheets may have it elsewhere, or
    `$C` where the header is missing or another candidate has the same.
    """

    index: int
    header: str
    samples: tuple[str, ...]
    choice: str = ""

    @property
    def letter(self) -> str:
        """The name a spreadsheet shows: A, B, …, AA."""
        return letter_of(self.index)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in the rows given, the indexes counted from the sheet's first column.

    `data_from` is the position of the first row under the header; `candidates` are best first, and a person's choice
    is the only one. `attributes` are the other columns that are not empty, each with a name of its own.
    """

    number: Column | None
    candidates: tuple[Column, ...]
    data_from: int
    headers: tuple[str, ...]
    attributes: tuple[tuple[int, str], ...] = ()
    chosen: bool = False


def letter_of(index: int) -> str:
    """The name a spreadsheet shows for its column `index`, counted from 0."""
    name, left = "", index + 1
    while left:
        left, digit = divmod(left - 1, 26)
        name = chr(ord("A") + digit) + name
    return name


def text_of(value: Cell) -> str:
    """Write a cell as seen: times as ISO without seconds of 0, 15 digits at most, whole numbers without `.0`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.15g}"
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}".removesuffix(":00")
    if isinstance(value, dt.datetime):
        return str(_to_second(value)).removesuffix(":00")
    if isinstance(value, dt.time):
        return str(_to_second(dt.datetime.combine(dt.date.min, value)).time()).removesuffix(":00")
    return str(value)


def _to_second(value: dt.datetime) -> dt.datetime:
    """Calculated times miss the second by a millisecond."""
    if value.microsecond >= 500_000 and value.year < dt.MAXYEAR:
        value += dt.timedelta(seconds=1)
    return value.replace(microsecond=0)


def texts_of(cells: Sequence[Cell], *, errors: bool = True) -> list[str]:
    """The same for many cells; quick where all are of one type. Without `errors` a formula that failed says nothing."""
    kinds = set(map(type, cells))
    if kinds <= {str}:
        return list(cells)  # type: ignore[arg-type]
    if kinds == {float} and all(map(float.is_integer, cells)):  # type: ignore[arg-type]
        return list(map("%.0f".__mod__, cells))
    if not errors and ErrorText in kinds:
        cells = ["" if isinstance(cell, ErrorText) else cell for cell in cells]
    return [text_of(cell) for cell in cells]


def find(
    rows: Sequence[Sequence[Cell]],
    chosen: Sequence[str] = (),
    offset: int = 0,
    hidden: Collection[int] = (),
    merged: Sequence[tuple[int, int]] = (),
) -> Layout:
    """Find header and number column in a sheet's first rows.

    `offset` is how many columns are left of the first one given; `hidden` columns, counted with those, are not looked
    at. `merged` are the first and last position of each cell that spans rows. `chosen` are a person's choices, each for
    one sheet or several: the first that this sheet has is followed. A header is had under that name; a letter only by a
    sheet that would have asked for it, because elsewhere it names another thing. Names are compared without case,
    spaces, underscores and what stands in brackets.
    """
    table = [_strings(row, offset, hidden) for row in rows]
    top = [no for no, row in enumerate(table) if any(row)][:HEADER_ROWS]
    names = [name for name in chosen if not name.startswith("$")]
    header_at, rank = _header_by_name(table, top, {fold(name) for name in names})
    start = 0 if header_at is None else header_at + 1
    best = _best(rank, _scores(table[start:]))
    if not best:
        return Layout(None, (), start, tuple(cell for cell in table[top[0]] if cell)[:20] if top else ())
    if header_at is None:
        header_at = _header_above_content(table, top, best[0])
    header: list[str] = []
    if header_at is not None:
        last = max((last for first, last in merged if first == header_at), default=header_at)
        header, start = _whole_header(table, header_at, last), last + 1
    candidates = _columns(table[start:], header, best, offset)
    followed = _followed(candidates, chosen) or _columns(table[start:], header, _named(names, header), offset)
    candidates = followed or candidates
    attributes = _attributes(table[start:], header, candidates[0].index - offset, offset)
    shown = tuple(cell for cell in header if cell)[:20]
    return Layout(candidates[0], candidates, start, shown, attributes, bool(followed))


def fold(name: str) -> str:
    """A header as it is compared: width, case, spaces, punctuation and bracketed remarks do not count."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _NOT_WORD.sub("", _BRACKETED.sub("", plain)) or _NOT_WORD.sub("", plain)


def is_number(cell: str) -> bool:
    """Whether a cell looks like a phone number and holds nothing else."""
    return likeness(cell) > 0 and _LIKELY.match(_CLEAN.sub("", _plain(cell))) is not None


def _plain(cell: str) -> str:
    return unicodedata.normalize("NFKC", _FLOAT_TAIL.sub("", cell))


def likeness(cell: str) -> float:
    """How much a cell looks like a phone number: 1 surely, 0.5 it has the digits, 0 not at all."""
    if len(cell) < 7 or _DATE.match(cell):
        return 0
    plain = _plain(cell)
    if _SURE.search(_CLEAN.sub("", plain)) or _SURE.search(plain):
        return 1
    return 0.5 if _LIKELY.match(_CLEAN.sub("", plain)) else 0


def _header_by_name(
    table: Sequence[Sequence[str]], top: Sequence[int], chosen: Collection[str]
) -> tuple[int | None, dict[int, int]]:
    """The header row, and per column how surely it is named: 2 exactly, 1 loosely.

    A row with a number in it is data, also when it says "手机" because that is what the customer bought; and below data
    only an exact name is a header (above it is a title with a hotline).
    """
    loose: tuple[int | None, dict[int, int]] = (None, {})
    above_data = True
    for no in top:
        if any(likeness(cell) == 1 for cell in table[no]):
            above_data = False
            continue
        rank = _names_in(table[no], chosen, loosely=above_data)
        if not rank or _would_lose_customers(table, no, rank, above_data):
            continue
        if 2 in rank.values():
            return no, rank
        if loose[0] is None:
            loose = no, rank
    return loose


def _names_in(row: Sequence[str], chosen: Collection[str], *, loosely: bool) -> dict[int, int]:
    rank = {}
    for index, cell in enumerate(row):
        if cell and len(cell) <= 40 and not likeness(cell):
            folded = fold(cell)
            if folded in _EXACT or folded in chosen:
                rank[index] = 2
            elif loosely and _LOOSE.search(folded):
                rank[index] = 1
    return rank


def _would_lose_customers(table: Sequence[Sequence[str]], no: int, rank: Mapping[int, int], above_data: bool) -> bool:
    """Whether the row stands among customers and only reads like a header: what is above a header is in no count.

    One row with a number may stand above one, with the hotline. And the numbers must be where the header says, or it is
    a row of people who wrote "phone" for something else.
    """
    filled = 0
    for row in table[:no]:
        likely = ((index, cell) for index, cell in enumerate(row) if likeness(cell))
        filled += any(index in rank or (likeness(cell) == 1 and is_number(cell)) for index, cell in likely)
    return filled > 1 or (not above_data and _best(rank, _scores(table[no + 1 :]))[0] not in rank)


def _followed(candidates: Sequence[Column], chosen: Sequence[str]) -> tuple[Column, ...]:
    """The candidate that the first fitting choice means."""
    by_choice = {_key(candidate.choice): candidate for candidate in candidates}
    return tuple(by_choice[key] for key in map(_key, chosen) if key in by_choice)[:1]


def _key(choice: str) -> str:
    return choice if choice.startswith("$") else fold(choice)


def _named(names: Sequence[str], header: Sequence[str]) -> list[int]:
    """The column of the first of these names that the header has once."""
    folded = [fold(cell) for cell in header]
    return [folded.index(key) for key in map(fold, names) if folded.count(key) == 1][:1]


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


def _best(rank: Mapping[int, int], scores: Mapping[int, float]) -> list[int]:
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


def _strings(row: Sequence[Cell], offset: int, hidden: Collection[int]) -> list[str]:
    cells = ["" if _says_nothing(cell) else text_of(cell).strip()[:NAME_CHARACTERS] for cell in row]
    for index in hidden:
        if offset <= index < offset + len(cells):
            cells[index - offset] = ""
    return cells


def _says_nothing(cell: Cell) -> bool:
    return cell == "" or isinstance(cell, ErrorText)


def _header_above_content(table: Sequence[Sequence[str]], top: Sequence[int], index: int) -> int | None:
    """A label over the first cell with a digit is the header, whatever it says; of several the one in the fullest row.

    Of equally full rows it is the first: a title taken for the header costs one row called invalid, a first customer
    with "n/a" taken for it would be lost without a word. So would one whose number is in another column: what stands
    below a number is data.
    """
    labels = []
    for no in top:
        cell = table[no][index] if index < len(table[no]) else ""
        if any(character.isdigit() for character in cell) or any(likeness(other) == 1 for other in table[no]):
            break
        if cell:
            labels.append(no)
    else:
        return None
    return max(labels, key=lambda no: sum(map(bool, table[no])), default=None)


def _whole_header(table: Sequence[Sequence[str]], first: int, last: int) -> list[str]:
    """The names of a header of one or more rows: each column's lowest text, or what a merged cell says above it."""
    lines = table[max(0, first - 1) : last + 1]
    names = [""] * max(map(len, table[first : last + 1]))
    for line in lines:
        names = [(line[index] if index < len(line) else "") or name for index, name in enumerate(names)]
    return names


def _columns(
    table: Sequence[Sequence[str]], header: Sequence[str], indexes: Sequence[int], offset: int
) -> tuple[Column, ...]:
    names = [header[index] if index < len(header) else "" for index in indexes]
    folded = [fold(name) for name in names]
    found = []
    for index, name, key in zip(indexes, names, folded, strict=True):
        filled = (row[index] for row in table if index < len(row) and row[index])
        samples = tuple(cell for _, cell in zip(range(3), filled, strict=False))
        choice = name if key and folded.count(key) == 1 else f"${letter_of(index + offset)}"
        found.append(Column(index + offset, name, samples, choice))
    return tuple(found)


def _attributes(
    table: Sequence[Sequence[str]], header: Sequence[str], number: int, offset: int
) -> tuple[tuple[int, str], ...]:
    """The other columns that have a name, or else any content, with names made unique."""
    filled = {index for row in table for index, cell in enumerate(row) if cell}
    filled.update(index for index, cell in enumerate(header) if cell)
    names: dict[str, int] = {}
    for index in sorted(filled - {number})[:MAX_ATTRIBUTES]:
        name = (header[index] if index < len(header) else "") or letter_of(index + offset)
        taken, again = {key.casefold() for key in names}, 1
        unique = name
        while unique.casefold() in taken:
            again += 1
            unique = f"{name} {again}"
        names[unique] = index + offset
    return tuple((index, name) for name, index in names.items())
