"""What fills a template's variables: columns of the number file, or of the imports that filled the groups."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any

from sqlalchemy import Connection, Row, select

from services import text
from services.audiences import Audience, is_recipient, rows
from services.bulk import BulkWriter
from services.errors import NotAllowed
from services.models import group_member, number_import, recipient, send_task
from services.sheets import befores_from_json, row_in_sheet

_ROWS_AT_ONCE = 20_000
_RECIPIENT_COLUMNS = ["task_id", "seq", "number", "import_id", "row", "values", "attributes"]

# We wrote it ourselves, so there is nothing around it to pass over.
_decode = json.JSONDecoder().raw_decode

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """For each import the header of the column that fills each of `names`, None where it has none.

    For messages that are sent again, `given` says which of the values they had fills each. `befores` are for
    `row_in_sheet`.
    """

    names: Sequence[str]
    headers: Mapping[int, Sequence[str | None]]
    given: Sequence[int] | None = None
    befores: Mapping[int, Sequence[int]] = field(default_factory=dict)

    def values(self, import_id: int, attributes: str | None, given: str | None = None) -> Values:
        """What the columns of one row hold, "" where there is nothing."""
        if self.given is not None:
            had = from_json(given)
            return tuple([had[at] for at in self.given])
        headers = self.headers.get(import_id)
        if attributes is None or headers is None:
            return ("",) * len(self.names)
        found = _decode(attributes)[0]
        return tuple([found.get(header, "").strip() if header else "" for header in headers])


@dataclass(frozen=True, slots=True)
class Copy:
    """One message to a number, with the row it comes from."""

    values: Values
    import_id: int
    row: int
    attributes: str | None


@dataclass(slots=True)
class Person:
    """A number with its copies: one for each text that differs. `missing` are its rows without all values, each with
    the names that lack one; `equal` counts rows that say what another one says.
    """

    number: int
    copies: list[Copy] = field(default_factory=list)
    missing: list[tuple[int, Sequence[str]]] = field(default_factory=list)
    equal: int = 0


def find_columns(connection: Connection, audience: Audience, template: str, names: Sequence[str]) -> Columns:
    """The columns that fill these variables. Raises NotAllowed("no_column") where one has none in any import."""
    if audience.resend is not None:
        return _columns_again(connection, audience, template, names)
    imports = _imports(connection, audience)
    attribute_names = {each.id: from_json(each.attribute_names) for each in imports}
    headers = {import_id: match(names, known) for import_id, known in attribute_names.items()}
    lacking = [name for at, name in enumerate(names) if all(found[at] is None for found in headers.values())]
    if lacking:
        known = list(dict.fromkeys(name for each in attribute_names.values() for name in each))
        raise NotAllowed(
            "no_column", template=template, variables=lacking, columns=known, source=audience.source, file=audience.file
        )
    return Columns(names, headers, befores={each.id: befores_from_json(each.sheets) for each in imports})


def match(names: Sequence[str], headers: Sequence[str]) -> list[str | None]:
    """The header for each variable: the one of its name, whatever its case, width or spaces; for `{2}`, where none is
    called that, the second of all. `headers` begin with the first column after the numbers.
    """
    by_name = {_fold(header): header for header in reversed(headers)}
    return [by_name.get(_fold(name)) or _by_place(name, headers) for name in names]


def people(connection: Connection, audience: Audience, columns: Columns, body: str) -> Generator[Person]:
    """Everybody who is sent to, in order of their numbers; close it where not all are taken.

    `body` is the text that the values fill.
    """
    found = rows(audience).subquery()
    query = select(found).where(is_recipient(found.c.number, audience)).order_by(found.c.number, found.c.place)
    with connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}) as streamed:
        yield from group_rows(map(tuple, streamed), columns, body)


def group_rows(found: Iterable[tuple[Any, ...]], columns: Columns, body: str) -> Iterator[Person]:
    """Put rows (number, import_id, row, attributes, …) in order of their numbers together.

    The same number twice gets one copy where the values are equal, and both where they are not.
    """
    person: Person | None = None
    texts: set[str] = set()
    for number, import_id, row, attributes, *others in found:
        if person is None or person.number != number:
            if person is not None:
                yield person
            person, texts = Person(number), set()
        # Behind the place comes what a message that is sent again had.
        values = columns.values(import_id, attributes, *others[1:2])
        if "" in values:
            lacking = [name for name, value in zip(columns.names, values, strict=True) if not value]
            person.missing.append((row_in_sheet(row, columns.befores.get(import_id, ())), lacking))
            continue
        if not person.copies:
            person.copies.append(Copy(values, import_id, row, attributes))
            continue
        # Different values may still make one text; nobody is to read the same twice.
        texts = texts or {text.fill(body, columns.names, person.copies[0].values)}
        arrives = text.fill(body, columns.names, values)
        if arrives in texts:
            person.equal += 1
            continue
        texts.add(arrives)
        person.copies.append(Copy(values, import_id, row, attributes))
    if person is not None:
        yield person


class RecipientWriter:
    """Writes the recipients of a task whose text has variables, some at a time.

    First copies come first, in order of the numbers; second copies behind them, then third ones. These are few: they
    are kept in memory until then.
    """

    def __init__(self, bulk: BulkWriter, tx: Connection, task_id: int, at_once: int = _ROWS_AT_ONCE) -> None:
        self._bulk, self._tx, self._task_id, self._at_once = bulk, tx, task_id, at_once
        self._written = 0

    def write(self, found: Iterable[Person], *, without_missing: bool) -> list[int]:
        """Returns how many each layer has. Raises NotAllowed("values_missing")."""
        waiting: list[tuple[int, Copy]] = []
        later: list[list[tuple[int, Copy]]] = []
        for person in found:
            if person.missing and not without_missing:
                raise NotAllowed("values_missing")
            for layer, copy in enumerate(person.copies):
                if layer == 0:
                    waiting.append((person.number, copy))
                    continue
                if layer > len(later):
                    later.append([])
                later[layer - 1].append((person.number, copy))
            if len(waiting) >= self._at_once:
                self._insert(waiting)
                waiting = []
        self._insert(waiting)
        layers = [self._written]
        for copies in later:
            self._insert(copies)
            layers.append(len(copies))
        return layers

    def _insert(self, copies: Sequence[tuple[int, Copy]]) -> None:
        values = (
            (self._task_id, seq, number, each.import_id, each.row, to_json(each.values), each.attributes)
            for seq, (number, each) in enumerate(copies, start=self._written + 1)
        )
        self._written += self._bulk.insert(self._tx, recipient, _RECIPIENT_COLUMNS, values)


def to_json(values: Sequence[str]) -> str:
    """For `recipient.values` and `send_task.variables`."""
    return f"[{','.join(map(encode_basestring, values))}]"


def from_json(stored: str | None) -> list[str]:
    """The reverse; nothing for NULL."""
    return [] if stored is None else [str(each) for each in json.loads(stored)]


def _imports(connection: Connection, audience: Audience) -> list[Row[Any]]:
    query = select(number_import.c.id, number_import.c.attribute_names, number_import.c.sheets)
    if audience.import_id is not None:
        query = query.where(number_import.c.id == audience.import_id)
    else:
        ids = [group.id for group in audience.groups]
        members = select(group_member.c.import_id).where(group_member.c.group_id.in_(ids)).distinct()
        query = query.where(number_import.c.id.in_(members))
    return list(connection.execute(query.order_by(number_import.c.id)))


def _columns_again(connection: Connection, audience: Audience, template: str, names: Sequence[str]) -> Columns:
    assert audience.resend is not None
    query = select(send_task.c.variables).where(send_task.c.id == audience.resend.task_id)
    had = from_json(connection.execute(query).scalar_one())
    if lacking := [name for name in names if name not in had]:
        raise NotAllowed(
            "no_column", template=template, variables=lacking, columns=had, source=audience.source, file=audience.file
        )
    return Columns(names, {}, [had.index(name) for name in names])


def _by_place(name: str, headers: Sequence[str]) -> str | None:
    place = int(name) if name.isascii() and name.isdecimal() and len(name) < 4 else 0
    return headers[place - 1] if 1 <= place <= len(headers) else None


def _fold(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
