"""Imports: one file taken into a group, every row of it in exactly one count."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.exc import IntegrityError

from services.clock import Clock
from services.database import Database
from services.errors import BadFile, NotAllowed, UnknownThing
from services.models import customer_group, group_member, import_reject, number_import
from services.numbers import NumberChecker, Verdict
from services.posts import PostKind, want_post
from services.spreadsheets.reader import Chunk, read_numbers
from services.states import ImportState

NO_VALID_NUMBER = "no_valid_number"
# A longer cell says no more in a reject file.
ORIGINAL_LIMIT = 200


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as Slack tells of it; `thread_ts` is the message it hangs on."""

    file_id: str
    name: str
    size: int
    url: str
    channel: str
    thread_ts: str


@dataclass(frozen=True, slots=True)
class Import:
    """One import. `rows` = imported + already_in_group + duplicates + invalid + set_aside once it is done.

    `by_country_code` counts those imported that were read as country code + number. `failure` is NO_VALID_NUMBER or
    one of `BadFile.WHYS`.
    """

    id: int
    workspace_id: str
    file: UploadedFile
    uploaded_by: str
    group_id: int | None
    group: str | None
    state: ImportState
    rows: int
    imported: int
    already_in_group: int
    duplicates: int
    invalid: int
    set_aside: int
    by_country_code: int
    failure: str | None
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def rejects(self) -> int:
        """How many rows the reject file lists."""
        return self.invalid + self.set_aside

    @property
    def took(self) -> timedelta | None:
        """From the choice of the group to the last row stored."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: rows read so far, and the share of the file (0 to 1)."""

    rows: int
    done: float


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that was not imported. `reason` is a `numbers.Reason`; `suggestion` E.164 text to try."""

    sheet: str
    row: int
    original: str
    reason: str
    suggestion: str | None


@dataclass(slots=True)
class _Tally:
    """What has been read so far. Arrays, because a million Python integers in lists would take 60 MB."""

    numbers: array[int] = field(default_factory=lambda: array("q"))
    rows: array[int] = field(default_factory=lambda: array("q"))
    seen: set[int] = field(default_factory=set)
    by_country_code: set[int] = field(default_factory=set)
    rejects: list[tuple[str, int, str, Verdict]] = field(default_factory=list)
    read: int = 0
    duplicates: int = 0
    set_aside: int = 0


class Imports:
    """Every import of every workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def receive(self, workspace_id: str, file: UploadedFile, by: str) -> Import | None:
        """Note an uploaded file. None where this file in this channel is known already: Slack tells of it again."""
        values = {
            "workspace_id": workspace_id,
            "channel": file.channel,
            "thread_ts": file.thread_ts,
            "file_id": file.file_id,
            "file_name": file.name,
            "file_size": file.size,
            "file_url": file.url,
            "uploaded_by": by,
            "received_at": self._clock.now(),
            "state": ImportState.ASKED.value,
        }
        with self._database.write() as tx:
            try:
                inserted = tx.execute(number_import.insert().values(**values)).inserted_primary_key
            except IntegrityError:
                return None
            tx.commit()
        assert inserted is not None
        return self.get(workspace_id, inserted[0])

    def begin(self, workspace_id: str, import_id: int, group_id: int) -> Import:
        """Start taking the file into the group, once. Raises UnknownThing or NotAllowed("import_begun")."""
        with self._database.write() as tx:
            chosen = tx.execute(
                select(customer_group.c.id).where(
                    customer_group.c.id == group_id, customer_group.c.workspace_id == workspace_id
                )
            ).scalar_one_or_none()
            if chosen is None:
                raise UnknownThing("group", str(group_id))
            row = tx.execute(
                update(number_import)
                .where(
                    number_import.c.id == import_id,
                    number_import.c.workspace_id == workspace_id,
                    number_import.c.state == ImportState.ASKED.value,
                )
                .values(
                    state=ImportState.RUNNING.value,
                    group_id=group_id,
                    started_at=self._clock.now(),
                    version=number_import.c.version + 1,
                )
                .returning(number_import.c.channel)
            ).first()
            if row is None:
                raise NotAllowed("import_begun")
            want_post(tx, workspace_id, row.channel, PostKind.IMPORT, import_id)
            tx.commit()
        return self.get(workspace_id, import_id)

    def running(self) -> list[Import]:
        """Those to be worked on: just begun, or cut off by a restart."""
        with self._database.read() as connection:
            rows = connection.execute(_imports().where(number_import.c.state == ImportState.RUNNING.value)).all()
        return [_import(row) for row in rows]

    def get(self, workspace_id: str, import_id: int) -> Import:
        """Raises UnknownThing, also for another workspace's import."""
        query = _imports().where(number_import.c.id == import_id, number_import.c.workspace_id == workspace_id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise UnknownThing("import", str(import_id))
        return _import(row)

    def run(self, running: Import, path: Path, progress: Callable[[Progress], None]) -> Import:
        """Read, check and store the file at `path`. Nothing is in the group before everything is.

        Ends the import as done, or as failed where the file cannot be read or holds no valid number. `progress` is
        called after each piece read and must not block.
        """
        tally = _Tally()
        checker = NumberChecker("CN")
        try:
            for chunk in read_numbers(path):
                _take(tally, chunk, checker)
                progress(Progress(tally.read, chunk.done))
        except BadFile as bad:
            return self.fail(running, bad.why)
        return self._finish(running, tally)

    def fail(self, running: Import, why: str) -> Import:
        """End an import that cannot be done; nothing of it is in the group."""
        with self._database.write() as tx:
            self._end(tx, running, ImportState.FAILED, failure=why)
            tx.commit()
        return self.get(running.workspace_id, running.id)

    def rejects(self, import_id: int) -> Iterator[Reject]:
        """The rows that were not imported, as the file has them."""
        query = select(import_reject).where(import_reject.c.import_id == import_id).order_by(import_reject.c.seq)
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=5000).execute(query):
                yield Reject(row.sheet, row.row, row.original, row.reason, row.suggestion)

    def reasons(self, import_id: int) -> list[tuple[str, int]]:
        """Each reason for not importing a row with how often it stands, the commonest first."""
        count = func.count().label("count")
        query = (
            select(import_reject.c.reason, count)
            .where(import_reject.c.import_id == import_id)
            .group_by(import_reject.c.reason)
            .order_by(count.desc(), import_reject.c.reason)
        )
        with self._database.read() as connection:
            return [(reason, number) for reason, number in connection.execute(query)]

    def _finish(self, running: Import, tally: _Tally) -> Import:
        order = sorted(range(len(tally.numbers)), key=tally.numbers.__getitem__)
        members = ((running.group_id, tally.numbers[i], running.id, tally.rows[i]) for i in order)
        with self._database.write() as tx:
            bulk = self._database.bulk
            imported = bulk.insert_new(tx, group_member, ["group_id", "number", "import_id", "row"], members)
            columns = ["import_id", "seq", "sheet", "row", "original", "reason", "suggestion", "candidate"]
            bulk.insert(tx, import_reject, columns, _reject_rows(running.id, tally.rejects))
            tx.execute(
                update(customer_group)
                .where(customer_group.c.id == running.group_id)
                .values(size=customer_group.c.size + imported)
            )
            self._end(
                tx,
                running,
                ImportState.DONE if tally.numbers else ImportState.FAILED,
                failure=None if tally.numbers else NO_VALID_NUMBER,
                rows=tally.read,
                imported=imported,
                already_in_group=len(tally.numbers) - imported,
                duplicates=tally.duplicates,
                invalid=len(tally.rejects) - tally.set_aside,
                set_aside=tally.set_aside,
                by_country_code=len(tally.by_country_code),
            )
            if tally.rejects:
                want_post(tx, running.workspace_id, running.file.channel, PostKind.REJECTS, running.id)
            tx.commit()
        return self.get(running.workspace_id, running.id)

    def _end(self, tx: Connection, running: Import, state: ImportState, **values: object) -> None:
        ended = tx.execute(
            update(number_import)
            .where(number_import.c.id == running.id, number_import.c.state == ImportState.RUNNING.value)
            .values(state=state.value, finished_at=self._clock.now(), version=number_import.c.version + 1, **values)
        ).rowcount
        if ended != 1:
            raise NotAllowed("import_begun")


def _take(tally: _Tally, chunk: Chunk, checker: NumberChecker) -> None:
    numbers, rest = checker.check_many(chunk.cells)
    tally.read += len(chunk.cells)
    for index, verdict in rest:
        if verdict.number is not None:
            tally.by_country_code.add(verdict.number)
            continue
        tally.set_aside += verdict.set_aside
        tally.rejects.append((chunk.sheet.name, chunk.rows[index], chunk.cells[index][:ORIGINAL_LIMIT], verdict))
    seen = tally.seen
    for row, number in zip(chunk.rows, numbers, strict=True):
        if not number:
            continue
        if number in seen:
            tally.duplicates += 1
            continue
        seen.add(number)
        tally.numbers.append(number)
        tally.rows.append(row)


def _reject_rows(import_id: int, rejects: Sequence[tuple[str, int, str, Verdict]]) -> Iterable[tuple[object, ...]]:
    for seq, (sheet, row, original, verdict) in enumerate(rejects):
        reason = verdict.reason.value if verdict.reason else ""
        # PostgreSQL's text takes no NUL.
        yield import_id, seq, sheet, row, original.replace("\0", ""), reason, verdict.suggestion, verdict.candidate


def _imports() -> Any:
    return select(number_import, customer_group.c.name.label("group")).outerjoin(
        customer_group, customer_group.c.id == number_import.c.group_id
    )


def _import(row: Row[Any]) -> Import:
    return Import(
        id=row.id,
        workspace_id=row.workspace_id,
        file=UploadedFile(row.file_id, row.file_name, row.file_size, row.file_url, row.channel, row.thread_ts),
        uploaded_by=row.uploaded_by,
        group_id=row.group_id,
        group=row.group,
        state=ImportState(row.state),
        rows=row.rows,
        imported=row.imported,
        already_in_group=row.already_in_group,
        duplicates=row.duplicates,
        invalid=row.invalid,
        set_aside=row.set_aside,
        by_country_code=row.by_country_code,
        failure=row.failure,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
