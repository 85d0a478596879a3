"""The process that writes a task's file: `python -m services.task_file_child`, told what to write on its input, as JSON
(`task_files.TaskFiles.write`).

Rows pass through it some thousand at a time, as columns, so its memory does not grow with them.
"""

from __future__ import annotations

import gc
import json
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Select, and_, func, literal, select, type_coerce

from services.carriers.words import describe
from services.database import Database
from services.models import application, batch, recipient, result, submission
from services.numbers import format_e164
from services.spreadsheets.csv_writer import write_csv_columns
from services.spreadsheets.writer import write_table
from services.states import BatchState
from services.task_files import FileKind, Which

HEADERS = ("Number", "Result", "Carrier code", "What it means", "SMS ID", "Time (UTC)")
_WIDTHS = (18, 22, 14, 40, 38, 20)
_AT_ONCE = 5_000
_MOMENTS_KEPT = 100_000

_WITHOUT_OUTCOME = {
    BatchState.PLANNED: "waiting",
    BatchState.SENDING: "being handed over",
    BatchState.CANCELLED: "held back",
    BatchState.DONE: "unknown: no answer",
    BatchState.UNKNOWN: "unknown: no answer",
}

Columns = list[list[str]]


class _Results(dict[str, str]):
    """The word for a state or an outcome."""

    def __init__(self) -> None:
        super().__init__(accepted="unknown: no receipt yet", unknown="unknown: no answer")
        self["skipped"] = "not sent: had opted out"

    def __missing__(self, state: str) -> str:
        return state


class _Meanings(dict[str | None, str]):
    """What a carrier's codes mean, empty where that says no more than the code."""

    def __init__(self, carrier: str) -> None:
        super().__init__({None: "", "": ""})
        self._carrier = carrier

    def __missing__(self, code: str) -> str:
        words = describe(self._carrier, code)
        self[code] = words = "" if words == code else words
        return words


class _Moments(dict[int | None, str]):
    """Seconds since 1970 as text in UTC."""

    def __init__(self) -> None:
        super().__init__({None: ""})

    def __missing__(self, seconds: int) -> str:
        if len(self) > _MOMENTS_KEPT:
            self.clear()
            self[None] = ""
        self[seconds] = text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
        return text


def main(wanted: dict[str, Any]) -> None:
    """Write the file."""
    # It ends soon and makes no cycles; looking for some takes a fifth of the time.
    gc.disable()
    database = Database(wanted["url"])
    kind, which, path = FileKind(wanted["kind"]), Which(wanted["which"]), Path(wanted["path"])
    try:
        with database.read(wanted["workspace_id"]) as connection:
            if database.is_sqlite:
                # What it sorts in grows with this, and more makes it no faster.
                connection.exec_driver_sql("PRAGMA cache_size=-16384")
            names = _attribute_names(connection, wanted["task_id"], which)
            parts = _Reader(connection, wanted["task_id"], which, kind, names).parts()
            headers = [*HEADERS, *names]
            if kind is FileKind.CSV:
                write_csv_columns(path, headers, parts)
            else:
                rows = (row for columns in parts for row in zip(*columns, strict=True))
                texts = range(len(headers))
                write_table(path, wanted["title"], headers, rows, widths=_WIDTHS, text_columns=texts)
    finally:
        database.close()


def _attribute_names(connection: Connection, task_id: int, which: Which) -> list[str]:
    """The uploaders' own columns, as first met in their rows."""
    query = _messages(task_id, which, (recipient.c.attributes,)).where(recipient.c.attributes.is_not(None))
    names: dict[str, None] = {}
    for rows in _fetched_parts(connection, query):
        for (attributes,) in rows:
            names.update(dict.fromkeys(json.loads(attributes)))
    return list(names)


class _Reader:
    """Reads a task's messages as the columns of a file."""

    def __init__(
        self, connection: Connection, task_id: int, which: Which, kind: FileKind, names: Sequence[str]
    ) -> None:
        self._connection, self._task_id, self._which, self._names = connection, task_id, which, names
        # A plus would make a csv's cell a formula; the consoles and our own import take country code + number.
        self._number = str if kind is FileKind.CSV else format_e164
        self._results, self._moments = _Results(), _Moments()
        query = select(batch.c.first, batch.c.state, application.c.carrier).where(batch.c.task_id == task_id)
        query = query.join(application, application.c.id == batch.c.application_id).order_by(batch.c.first)
        batches = connection.execute(query).all()
        self._firsts = [row.first for row in batches]
        self._states = [BatchState(row.state) for row in batches]
        # Batches that went elsewhere have another carrier's codes.
        meanings = {row.carrier: _Meanings(row.carrier) for row in batches}
        self._meanings = [meanings[row.carrier] for row in batches]
        self._has_one_carrier = len(meanings) == 1

    def parts(self) -> Iterator[Columns]:
        """Some rows at a time."""
        columns = [recipient.c.number, result.c.state, result.c.code, submission.c.sms_id, _seconds(result.c.at)]
        if self._which is not Which.FAILED:
            columns[1] = func.coalesce(result.c.state, submission.c.outcome)
            columns[2] = func.coalesce(result.c.code, submission.c.code)
            columns[4] = func.coalesce(columns[4], _seconds(submission.c.at))
        columns.append(recipient.c.attributes if self._names else literal(None))
        columns.append(recipient.c.seq)
        query = _messages(self._task_id, self._which, columns)
        order = (func.coalesce(recipient.c.import_id, 0), func.coalesce(recipient.c.row, 0), recipient.c.seq)
        for rows in _fetched_parts(self._connection, query.order_by(*order)):
            part: Columns = self._columns(rows)
            if part[0]:
                yield part

    def _columns(self, rows: Sequence[Sequence[Any]]) -> Columns:
        if self._which is not Which.FAILED:
            rows = [row if row[1] is not None else self._without_outcome(row) for row in rows]
            if self._which is Which.UNKNOWN:
                rows = [row for row in rows if row[1].startswith("unknown") or row[1] == "accepted"]
            if not rows:
                return [[]]
        numbers, states, codes, sms_ids, moments, attributes, seqs = zip(*rows, strict=True)
        columns = [
            [*map(self._number, numbers)],
            [*map(self._results.__getitem__, states)],
            [code or "" for code in codes],
            self._meanings_of(codes, seqs),
            [sms_id or "" for sms_id in sms_ids],
            [*map(self._moments.__getitem__, moments)],
        ]
        if self._names:
            known = [json.loads(text) if text else {} for text in attributes]
            columns += [[each.get(name, "") for each in known] for name in self._names]
        return columns

    def _meanings_of(self, codes: Sequence[str | None], seqs: Sequence[int]) -> list[str]:
        if self._has_one_carrier:
            return [*map(self._meanings[0].__getitem__, codes)]
        return [self._meanings[self._batch_of(seq)][code] for code, seq in zip(codes, seqs, strict=True)]

    def _batch_of(self, seq: int) -> int:
        return bisect_right(self._firsts, seq) - 1

    def _without_outcome(self, row: Sequence[Any]) -> Sequence[Any]:
        """The batch says what became of it."""
        state = self._states[self._batch_of(row[6])]
        return (row[0], _WITHOUT_OUTCOME[state], *row[2:])


def _seconds(moment: Column[datetime]) -> ColumnElement[int]:
    """Not as datetime, which takes longer than all the rest."""
    return type_coerce(moment, BigInteger) // 1000


def _messages(task_id: int, which: Which, columns: Sequence[Any]) -> Select[Any]:
    """UNKNOWN may hold others too, which have no outcome for another reason."""
    is_submitted = and_(submission.c.task_id == recipient.c.task_id, submission.c.seq == recipient.c.seq)
    has_result = and_(result.c.task_id == recipient.c.task_id, result.c.seq == recipient.c.seq)
    query = select(*columns).select_from(recipient).where(recipient.c.task_id == task_id)
    if which is Which.FAILED:
        query = query.join(result, has_result).where(result.c.state != "delivered")
    else:
        query = query.outerjoin(result, has_result)
    query = query.outerjoin(submission, is_submitted)
    if which is Which.UNKNOWN:
        query = query.where(result.c.seq.is_(None))
    return query


def _fetched_parts(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    return connection.execution_options(yield_per=_AT_ONCE).execute(query).partitions()


if __name__ == "__main__":
    main(json.load(sys.stdin))
