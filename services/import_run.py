"""Working an import: read in a child process, checked here meanwhile, stored in one transaction at the end."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from itertools import chain, repeat
from pathlib import Path

from sqlalchemy import Connection, delete, select, update

from services.clock import Clock
from services.database import Database
from services.errors import BadFile, UnknownThing
from services.groups import Group, group_by_id
from services.import_records import (
    GROUP_GONE,
    IMPORT_ROW_COLUMNS,
    NO_VALID_NUMBER,
    Cancelled,
    Import,
    Progress,
    Purpose,
    columns_to_json,
    find_import,
    forget_rejects,
    lock_running,
    names_to_json,
)
from services.import_tally import KEEPABLE, RejectedRow, Tally
from services.models import customer_group, group_member, import_reject, import_row, number_import
from services.numbers import NumberChecker
from services.opt_outs import Origin, add_opt_outs
from services.posts import PostKind, want_post
from services.spreadsheets.reader import ChooseColumn, read_numbers
from services.states import ImportState

# Noted as they come, so that a file of nothing but mistakes needs no more memory than another.
_REJECTS_AT_ONCE = 10_000
_LOOK_SECONDS = 0.5
_REJECT_COLUMNS = ["import_id", "seq", "sheet", "row", "original", "reason", "suggestion", "candidate"]
_MEMBER_COLUMNS = ["group_id", "number", "import_id", "row", "attributes"]

Report = Callable[[Progress], None]


class ImportRun:
    """One pass over one file. `progress` is called often, from this thread; numbers without country code are of
    `region`.
    """

    def __init__(self, database: Database, clock: Clock, running: Import, progress: Report, region: str) -> None:
        self._database = database
        self._clock = clock
        self._import = running
        self._progress = progress
        self._region = region
        self._rejects = 0
        self._look_at = time.monotonic() + _LOOK_SECONDS

    def work(self, path: Path) -> Import:
        """The import as it is now: done, failed, waiting for the choice of the column, or cancelled meanwhile.

        Raises NotAllowed("import_begun") where it had ended before.
        """
        try:
            with self._database.write() as tx:
                lock_running(tx, self._import)
                forget_rejects(tx, self._import.id)
                tx.commit()
            with closing(Tally(repeated=self._import.purpose is Purpose.SEND)) as tally:
                self._read(path, tally)
                self._store(tally)
        except ChooseColumn as choice:
            self._end(ImportState.WAITING, finished_at=None, columns=columns_to_json(choice.sheet, choice.candidates))
        except BadFile as bad:
            self._end(ImportState.FAILED, failure=bad.why)
        except UnknownThing:
            self._end(ImportState.FAILED, failure=GROUP_GONE)
        except Cancelled:
            pass
        return self._now()

    def fail(self, why: str) -> Import:
        """End it as failed, where it still runs."""
        self._end(ImportState.FAILED, failure=why)
        return self._now()

    def _read(self, path: Path, tally: Tally) -> None:
        checker, chosen = NumberChecker(self._region), self._import.chosen
        attributes = self._import.purpose is not Purpose.OPT_OUTS
        with closing(read_numbers(path, chosen=chosen, with_attributes=attributes, ask=True)) as chunks:
            for chunk in chunks:
                tally.take(chunk, *checker.check_many(chunk.cells))
                if len(tally.rejects) >= _REJECTS_AT_ONCE:
                    self._note_rejects(tally)
                self._report(Progress(tally.read, chunk.done))

    def _store(self, tally: Tally) -> None:
        self._report(Progress(tally.read, 1.0, 0, tally.taken))
        country_codes = len(tally.by_country_code)
        tally.by_country_code.clear()
        with self._database.write() as tx:
            imported, distinct = self._take(tx, tally)
            # Numbers that a person may keep are something to decide about, also where there is nothing else.
            is_done = distinct > 0 or tally.keepable > 0
            _end(
                tx,
                self._import,
                self._clock,
                ImportState.DONE if is_done else ImportState.FAILED,
                failure=None if is_done else NO_VALID_NUMBER,
                rows=tally.read,
                imported=imported,
                already_in_group=distinct - imported,
                duplicates=tally.taken - distinct,
                invalid=tally.invalid,
                set_aside=tally.set_aside,
                keepable=tally.keepable,
                by_country_code=country_codes,
                hidden_rows=tally.hidden_rows,
                hidden_columns=tally.hidden_columns,
                hidden_sheets=tally.hidden_sheets,
                numberless_sheets=names_to_json(tally.numberless_sheets),
                attribute_names=names_to_json(tally.attribute_names),
            )
            if self._rejects:
                done = self._import
                want_post(tx, done.workspace_id, done.file.channel, PostKind.REJECTS, done.id)
            tx.commit()

    def _take(self, tx: Connection, tally: Tally) -> tuple[int, int]:
        """Store what was read. How many numbers were new, and how many there are."""
        if self._import.purpose is Purpose.OPT_OUTS:
            lock_running(tx, self._import)
            self._insert_rejects(tx, tally.rejects)
            return self._opt_out(tx, tally)
        if self._import.purpose is Purpose.SEND:
            lock_running(tx, self._import)
            self._insert_rejects(tx, tally.rejects)
            rows = self._insert_rows(tx, tally)
            return rows, rows
        # Always in this order, so that a merge cannot wait for us while we wait for it.
        group = self._lock_group(tx)
        lock_running(tx, self._import)
        taken = self._insert(tx, group, tally)
        self._insert_rejects(tx, tally.rejects)
        return taken

    def _opt_out(self, tx: Connection, tally: Tally) -> tuple[int, int]:
        """Who may be kept in a group may be written to: those set aside for a person to decide are taken as well."""
        mine = (import_reject.c.import_id == self._import.id, import_reject.c.candidate.is_not(None))
        keepable = (*mine, import_reject.c.reason.in_([reason.value for reason in KEEPABLE]))
        kept = tx.execute(select(import_reject.c.candidate).where(*keepable)).scalars().all()
        self._rejects -= tx.execute(delete(import_reject).where(*keepable)).rowcount
        tally.taken += len(kept)
        tally.set_aside -= len(kept)
        tally.keepable = 0
        imported = distinct = 0
        for numbers in chain((part for part, _, _ in tally.members()), [set(kept)]):
            imported += self._add_opt_outs(tx, numbers)
            distinct += len(numbers)
            self._report(Progress(tally.read, 1.0, distinct, tally.taken))
        return imported, distinct

    def _add_opt_outs(self, tx: Connection, numbers: Collection[int]) -> int:
        running = self._import
        now, bulk = self._clock.now(), self._database.bulk
        return add_opt_outs(tx, bulk, running.workspace_id, numbers, Origin.IMPORT, now, running.uploaded_by)

    def _lock_group(self, tx: Connection) -> Group:
        if self._import.group_id is None:
            raise UnknownThing("group", "")
        return group_by_id(tx, self._import.workspace_id, self._import.group_id, lock=True)

    def _insert(self, tx: Connection, group: Group, tally: Tally) -> tuple[int, int]:
        """How many numbers were new to the group, and how many there are."""
        imported = distinct = 0
        for numbers, rows, texts in tally.members():
            imported += self._insert_part(tx, group, numbers, rows, texts)
            distinct += len(numbers)
            self._report(Progress(tally.read, 1.0, distinct, tally.taken))
        grown = update(customer_group).where(customer_group.c.id == group.id)
        tx.execute(grown.values(size=customer_group.c.size + imported))
        return imported, distinct

    def _insert_rows(self, tx: Connection, tally: Tally) -> int:
        """Every row that can be sent to, for a file that goes into no group. Returns how many."""
        stored = 0
        for numbers, rows, texts in tally.members():
            seqs = range(stored + 1, stored + 1 + len(numbers))
            values = zip(repeat(self._import.id), seqs, numbers, rows, texts or repeat(None), strict=False)
            stored += self._database.bulk.insert(tx, import_row, IMPORT_ROW_COLUMNS, values)
            self._report(Progress(tally.read, 1.0, stored, tally.taken))
        return stored

    def _insert_part(
        self, tx: Connection, group: Group, numbers: array[int], rows: array[int], texts: Iterable[str | None] | None
    ) -> int:
        bulk = self._database.bulk
        # It is locked, so that nobody adds to an empty group meanwhile.
        new_only = group.size > 0
        if texts is None:
            fixed = {"group_id": group.id, "import_id": self._import.id}
            return bulk.insert_integers(tx, group_member, fixed, {"number": numbers, "row": rows}, new_only=new_only)
        write = bulk.insert_new if new_only else bulk.insert
        members = zip(repeat(group.id), numbers, repeat(self._import.id), rows, texts, strict=False)
        return write(tx, group_member, _MEMBER_COLUMNS, members)

    def _note_rejects(self, tally: Tally) -> None:
        with self._database.write() as tx:
            lock_running(tx, self._import)
            self._insert_rejects(tx, tally.rejects)
            tx.commit()
        tally.rejects.clear()

    def _insert_rejects(self, tx: Connection, rejects: list[RejectedRow]) -> None:
        rows = _reject_rows(self._import.id, self._rejects, rejects)
        self._rejects += self._database.bulk.insert(tx, import_reject, _REJECT_COLUMNS, rows)

    def _report(self, progress: Progress) -> None:
        self._progress(progress)
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_SECONDS
        with self._database.read() as connection:
            state = select(number_import.c.state).where(
                number_import.c.id == self._import.id, number_import.c.workspace_id == self._import.workspace_id
            )
            if connection.execute(state).scalar_one() == ImportState.CANCELLED.value:
                raise Cancelled

    def _end(self, state: ImportState, **values: object) -> None:
        with self._database.write() as tx:
            try:
                lock_running(tx, self._import)
            except Cancelled:
                return
            forget_rejects(tx, self._import.id)
            _end(tx, self._import, self._clock, state, **values)
            tx.commit()

    def _now(self) -> Import:
        with self._database.read() as connection:
            return find_import(connection, self._import.workspace_id, self._import.id)


def _end(tx: Connection, running: Import, clock: Clock, state: ImportState, **values: object) -> None:
    tx.execute(
        update(number_import)
        .where(number_import.c.id == running.id)
        .values({"finished_at": clock.now(), **values, "state": state.value, "version": number_import.c.version + 1})
    )


def _reject_rows(import_id: int, first: int, rejects: Iterable[RejectedRow]) -> Iterator[tuple[object, ...]]:
    for seq, (sheet, row, original, verdict) in enumerate(rejects, first):
        reason = verdict.reason.value if verdict.reason else ""
        # PostgreSQL's text takes no NUL.
        yield import_id, seq, sheet, row, original.replace("\0", ""), reason, verdict.suggestion, verdict.candidate
