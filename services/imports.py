"""Imports: one file taken into a group, every row of it in exactly one count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select, update
from sqlalchemy.exc import IntegrityError

from services.clock import Clock
from services.database import Database, insert_row
from services.default_regions import DefaultRegions
from services.errors import NotAllowed, UnknownThing
from services.groups import Group, add_group, group_by_id
from services.import_records import (
    GROUP_GONE,
    IMPORT_ROW_COLUMNS,
    NO_VALID_NUMBER,
    Import,
    Progress,
    Purpose,
    Reject,
    UploadedFile,
    find_import,
    forget_rejects,
    imports,
    lock_import,
    names_to_json,
    to_import,
)
from services.import_run import ImportRun
from services.import_tally import KEEPABLE
from services.import_undo import task_in_the_way
from services.models import (
    customer_group,
    group_member,
    import_reject,
    import_row,
    number_import,
)
from services.posts import PostKind, show_again, want_post
from services.states import ImportState, SmsType

__all__ = ["GROUP_GONE", "NO_VALID_NUMBER", "Import", "Imports", "Progress", "Purpose", "Reject", "UploadedFile"]

_UNDER_WAY = (ImportState.RUNNING, ImportState.WAITING)


class Imports:
    """Every import of every workspace."""

    def __init__(self, database: Database, clock: Clock, regions: DefaultRegions | None = None) -> None:
        self._database = database
        self._clock = clock
        self._regions = regions or DefaultRegions()

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
                import_id = insert_row(tx, number_import.insert().values(**values))
            except IntegrityError:
                return None
            tx.commit()
        return self.get(workspace_id, import_id)

    def begin(self, workspace_id: str, import_id: int, group_id: int) -> Import:
        """Start taking the file into the group, once. Raises UnknownThing or NotAllowed("import_begun")."""
        return self._begin(workspace_id, import_id, Purpose.GROUP, group_id)

    def begin_in_new_group(self, workspace_id: str, import_id: int, name: str, sms_type: SmsType, by: str) -> Import:
        """Make the group and start taking the file into it: both or neither.

        Raises UnknownThing, or NotAllowed("import_begun" | "group_name" | "group_exists" | "verification_group").
        """
        with self._database.write() as tx:
            if lock_import(tx, workspace_id, import_id).state is not ImportState.ASKED:
                raise NotAllowed("import_begun")
            group_id = add_group(tx, workspace_id, name, sms_type, by, self._clock.now())
            made_group = group_by_id(tx, workspace_id, group_id).name
            self._start(tx, workspace_id, import_id, purpose=Purpose.GROUP, group_id=group_id, made_group=made_group)
            tx.commit()
        return self.get(workspace_id, import_id)

    def begin_opt_outs(self, workspace_id: str, import_id: int) -> Import:
        """Start taking the file onto the do-not-send list, once. Raises NotAllowed("import_begun")."""
        return self._begin(workspace_id, import_id, Purpose.OPT_OUTS)

    def begin_for_send(self, workspace_id: str, import_id: int) -> Import:
        """Start reading the file for one send alone, once. Raises NotAllowed("import_begun")."""
        return self._begin(workspace_id, import_id, Purpose.SEND)

    def _begin(self, workspace_id: str, import_id: int, purpose: Purpose, group_id: int | None = None) -> Import:
        with self._database.write() as tx:
            if group_id is not None:
                # Locked, so that nobody deletes it meanwhile.
                group_by_id(tx, workspace_id, group_id, lock=True)
            self._start(tx, workspace_id, import_id, purpose=purpose, group_id=group_id)
            tx.commit()
        return self.get(workspace_id, import_id)

    def _start(self, tx: Connection, workspace_id: str, import_id: int, **values: object) -> None:
        row = tx.execute(
            update(number_import)
            .where(
                number_import.c.id == import_id,
                number_import.c.workspace_id == workspace_id,
                number_import.c.state == ImportState.ASKED.value,
            )
            .values(
                **values,
                state=ImportState.RUNNING.value,
                started_at=self._clock.now(),
                version=number_import.c.version + 1,
            )
            .returning(number_import.c.channel)
        ).first()
        if row is None:
            raise NotAllowed("import_begun")
        want_post(tx, workspace_id, row.channel, PostKind.IMPORT, import_id)

    def choose_column(self, workspace_id: str, import_id: int, choice: str) -> Import:
        """Go on with the column that holds the numbers: the `choice` of one of `Import.columns`. Another sheet may ask
        again.

        Raises UnknownThing, or NotAllowed("column_chosen") where nobody is asked any more.
        """
        with self._database.write() as tx:
            waiting = lock_import(tx, workspace_id, import_id)
            if waiting.state is not ImportState.WAITING:
                raise NotAllowed("column_chosen")
            if choice not in [column.choice for column in waiting.columns]:
                raise UnknownThing("column", choice, [column.choice for column in waiting.columns])
            _change(
                tx,
                workspace_id,
                import_id,
                state=ImportState.RUNNING.value,
                chosen=names_to_json([*waiting.chosen, choice]),
                started_at=self._clock.now(),
            )
            tx.commit()
        return self.get(workspace_id, import_id)

    def cancel(self, workspace_id: str, import_id: int, by: str) -> Import:
        """Stop an import under way; nothing of it stays, nor of a group that was made for it and is still empty.

        Raises UnknownThing or NotAllowed("import_over").
        """
        with self._database.write() as tx:
            made = _lock_made_group(tx, find_import(tx, workspace_id, import_id))
            if lock_import(tx, workspace_id, import_id).state not in _UNDER_WAY:
                raise NotAllowed("import_over")
            forget_rejects(tx, import_id)
            ended = {"state": ImportState.CANCELLED.value, "ended_by": by, "finished_at": self._clock.now()}
            _change(tx, workspace_id, import_id, **ended)
            if made is not None and _is_unused(tx, made, import_id):
                _change(tx, workspace_id, import_id, group_id=None)
                tx.execute(delete(customer_group).where(customer_group.c.id == made.id))
            tx.commit()
        return self.get(workspace_id, import_id)

    def keep(self, workspace_id: str, import_id: int) -> Import:
        """Take the numbers that were set aside as landline or unassigned after all; they move to the other counts.

        Raises UnknownThing or NotAllowed("nothing_to_keep" | "import_group_gone").
        """
        with self._database.write() as tx:
            if find_import(tx, workspace_id, import_id).purpose is Purpose.SEND:
                self._keep_rows(tx, lock_import(tx, workspace_id, import_id))
                tx.commit()
                return self.get(workspace_id, import_id)
            group, done = _lock(tx, workspace_id, import_id)
            if done.state is not ImportState.DONE or not done.keepable:
                raise NotAllowed("nothing_to_keep")
            members = [(group.id, row.candidate, import_id, row.row) for row in tx.execute(_candidates(import_id))]
            columns = ["group_id", "number", "import_id", "row"]
            imported = self._database.bulk.insert_new(tx, group_member, columns, members)
            _grow(tx, group.id, imported)
            _change(
                tx,
                workspace_id,
                import_id,
                imported=done.imported + imported,
                already_in_group=done.already_in_group + len(members) - imported,
                duplicates=done.duplicates + done.keepable - len(members),
                set_aside=done.set_aside - done.keepable,
                keepable=0,
                kept=done.keepable,
            )
            tx.commit()
        return self.get(workspace_id, import_id)

    def _keep_rows(self, tx: Connection, done: Import) -> None:
        """The same for a file of one send: its rows take those as well whose number was set aside."""
        if done.state is not ImportState.DONE or not done.keepable:
            raise NotAllowed("nothing_to_keep")
        there = select(import_row.c.number).where(import_row.c.import_id == done.id)
        candidates = _candidates(done.id).where(import_reject.c.candidate.not_in(there))
        last = tx.execute(select(func.max(import_row.c.seq)).where(import_row.c.import_id == done.id)).scalar_one() or 0
        rows = [
            (done.id, seq, row.candidate, row.row, None) for seq, row in enumerate(tx.execute(candidates), last + 1)
        ]
        imported = self._database.bulk.insert(tx, import_row, IMPORT_ROW_COLUMNS, rows)
        _change(
            tx,
            done.workspace_id,
            done.id,
            imported=done.imported + imported,
            duplicates=done.duplicates + done.keepable - imported,
            set_aside=done.set_aside - done.keepable,
            keepable=0,
            kept=done.keepable,
        )

    def undo(self, workspace_id: str, import_id: int, by: str) -> Import:
        """Take the numbers that it alone brought out of the group again.

        Raises UnknownThing or NotAllowed("not_undoable" | "import_group_gone" | "import_sent").
        """
        with self._database.write() as tx:
            group, done = _lock(tx, workspace_id, import_id)
            if done.state is not ImportState.DONE:
                raise NotAllowed("not_undoable")
            if (task := task_in_the_way(tx, done)) is not None:
                raise NotAllowed("import_sent", number=task.number, forgotten=task.forgotten)
            brought = delete(group_member).where(
                group_member.c.group_id == group.id, group_member.c.import_id == import_id
            )
            taken_out = tx.execute(brought).rowcount
            _grow(tx, group.id, -taken_out)
            undone = {"state": ImportState.UNDONE.value, "ended_by": by, "taken_out": taken_out}
            _change(tx, workspace_id, import_id, **undone)
            tx.commit()
        return self.get(workspace_id, import_id)

    def running(self) -> list[Import]:
        """Those to be worked on: just begun, or cut off by a restart."""
        with self._database.read(everyone=True) as connection:
            rows = connection.execute(imports().where(number_import.c.state == ImportState.RUNNING.value)).all()
        return [to_import(row) for row in rows]

    def get(self, workspace_id: str, import_id: int) -> Import:
        """Raises UnknownThing, also for another workspace's import."""
        with self._database.read() as connection:
            return find_import(connection, workspace_id, import_id)

    def run(self, running: Import, path: Path, progress: Callable[[Progress], None]) -> Import:
        """Read, check and store the file at `path`. Nothing is in the group before everything is.

        The import is then done, or failed where the file cannot be read or holds no number that is valid or may be
        kept, or waiting where a person must choose the column. One cancelled meanwhile stays so. `progress` is called
        after each piece and must not block. Raises NotAllowed("import_begun") where it had ended before.
        """
        return self._run(running, progress).work(path)

    def fail(self, running: Import, why: str) -> Import:
        """End an import that cannot be done; nothing of it is in the group."""
        return self._run(running, lambda _progress: None).fail(why)

    def _run(self, running: Import, progress: Callable[[Progress], None]) -> ImportRun:
        return ImportRun(self._database, self._clock, running, progress, self._regions.of(running.workspace_id))

    def rejects(self, workspace_id: str, import_id: int) -> Iterator[Reject]:
        """The rows that were not imported, as the file has them."""
        query = select(import_reject).where(import_reject.c.import_id == import_id).order_by(import_reject.c.seq)
        with self._database.read(workspace_id) as connection:
            for row in connection.execution_options(yield_per=5000).execute(query):
                yield Reject(row.sheet, row.row, row.original, row.reason, row.suggestion)

    def reasons(self, workspace_id: str, import_id: int) -> list[tuple[str, int]]:
        """Each reason for not importing a row with how often it stands, the commonest first."""
        count = func.count().label("count")
        query = (
            select(import_reject.c.reason, count)
            .where(import_reject.c.import_id == import_id)
            .group_by(import_reject.c.reason)
            .order_by(count.desc(), import_reject.c.reason)
        )
        with self._database.read(workspace_id) as connection:
            return [(reason, number) for reason, number in connection.execute(query)]


def _lock(tx: Connection, workspace_id: str, import_id: int) -> tuple[Group, Import]:
    """The import with its group, in the order in which everybody locks them."""
    group_id = find_import(tx, workspace_id, import_id).group_id
    if group_id is None:
        raise NotAllowed("import_group_gone")
    try:
        group = group_by_id(tx, workspace_id, group_id, lock=True)
    except UnknownThing as error:
        raise NotAllowed("import_group_gone") from error
    return group, lock_import(tx, workspace_id, import_id)


def _lock_made_group(tx: Connection, running: Import) -> Group | None:
    """The group that was made for it, unless somebody has renamed it since, or merged it into another one."""
    if running.made_group is None or running.group_id is None or running.group != running.made_group:
        return None
    try:
        return group_by_id(tx, running.workspace_id, running.group_id, lock=True)
    except UnknownThing:
        return None


def _is_unused(tx: Connection, group: Group, import_id: int) -> bool:
    """Whether a group is empty and no import but this one goes or went there."""
    others = exists().where(number_import.c.group_id == group.id, number_import.c.id != import_id)
    return group.size == 0 and not tx.execute(select(others)).scalar_one()


def _candidates(import_id: int) -> Any:
    """Each number set aside that may be kept, once, with the first row it stands in."""
    return (
        select(import_reject.c.candidate, func.min(import_reject.c.row).label("row"))
        .where(
            import_reject.c.import_id == import_id,
            import_reject.c.reason.in_([reason.value for reason in KEEPABLE]),
            import_reject.c.candidate.is_not(None),
        )
        .group_by(import_reject.c.candidate)
        .order_by(import_reject.c.candidate)
    )


def _grow(tx: Connection, group_id: int, by: int) -> None:
    grown = update(customer_group).where(customer_group.c.id == group_id)
    tx.execute(grown.values(size=customer_group.c.size + by))


def _change(tx: Connection, workspace_id: str, import_id: int, **values: object) -> None:
    changed = update(number_import).where(number_import.c.id == import_id)
    tx.execute(changed.values({**values, "version": number_import.c.version + 1}))
    show_again(tx, workspace_id, PostKind.IMPORT, import_id)
