"""Imports: one file taken into a group, every row of it in exactly one count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select, update
from sqlalchemy.exc import IntegrityError

from services.clock import Clock
from services.database import Database, insert_row
from services.errors import NotAllowed, UnknownThing
from services.groups import Group, group_by_id, resize
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
    to_import,
)
from services.import_run import ImportRun
from services.import_tally import KEEPABLE
from services.models import (
    customer_group,
    group_member,
    import_reject,
    import_row,
    number_import,
    recipient,
    send_task,
    task_group,
)
from services.posts import PostKind, show_again, want_post
from services.sheets import sheets_from_json
from services.states import ImportState, TaskState

__all__ = ["GROUP_GONE", "NO_VALID_NUMBER", "Import", "Imports", "Progress", "Purpose", "Reject", "UploadedFile"]

_UNDER_WAY = (ImportState.RUNNING, ImportState.WAITING)
_NEVER_SENT = (TaskState.DRAFT, TaskState.CANCELLED, TaskState.EXPIRED)


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
                import_id = insert_row(tx, number_import.insert().values(**values))
            except IntegrityError:
                return None
            tx.commit()
        return self.get(workspace_id, import_id)

    def begin(self, workspace_id: str, import_id: int, group_id: int) -> Import:
        """Start taking the file into the group, once. Raises UnknownThing or NotAllowed("import_begun")."""
        return self._begin(workspace_id, import_id, Purpose.GROUP, group_id)

    def begin_opt_outs(self, workspace_id: str, import_id: int) -> Import:
        """Start taking the file onto the do-not-send list, once. Raises NotAllowed("import_begun")."""
        return self._begin(workspace_id, import_id, Purpose.OPT_OUTS)

    def begin_for_send(self, workspace_id: str, import_id: int) -> Import:
        """Start reading the file for one send alone, once. Raises NotAllowed("import_begun")."""
        return self._begin(workspace_id, import_id, Purpose.SEND)

    def _begin(self, workspace_id: str, import_id: int, purpose: Purpose, group_id: int | None = None) -> Import:
        with self._database.write() as tx:
            if group_id is not None:
                group_by_id(tx, workspace_id, group_id)
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
                    purpose=purpose.value,
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

    def choose_column(self, workspace_id: str, import_id: int, choice: str) -> Import:
        """Go on with the column that holds the numbers: the `choice` of one of `Import.columns`.

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
                column=choice,
                started_at=self._clock.now(),
            )
            tx.commit()
        return self.get(workspace_id, import_id)

    def cancel(self, workspace_id: str, import_id: int, by: str) -> Import:
        """Stop an import under way; nothing of it stays. Raises UnknownThing or NotAllowed("import_over")."""
        with self._database.write() as tx:
            if lock_import(tx, workspace_id, import_id).state not in _UNDER_WAY:
                raise NotAllowed("import_over")
            forget_rejects(tx, import_id)
            ended = {"state": ImportState.CANCELLED.value, "ended_by": by, "finished_at": self._clock.now()}
            _change(tx, workspace_id, import_id, **ended)
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
            members = [(group.id, number, import_id, row) for number, row in _kept(tx, import_id)]
            columns = ["group_id", "number", "import_id", "row"]
            imported = self._database.bulk.insert_new(tx, group_member, columns, members)
            resize(tx, [group.id], imported)
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
        last = tx.execute(select(func.max(import_row.c.seq)).where(import_row.c.import_id == done.id)).scalar_one() or 0
        kept = _kept(tx, done.id, import_reject.c.candidate.not_in(there))
        rows = [(done.id, seq, number, row, None) for seq, (number, row) in enumerate(kept, last + 1)]
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
            task = tx.execute(_task_with_numbers_of(done)).scalar()
            if task is not None:
                raise NotAllowed("import_sent", number=task)
            brought = delete(group_member).where(
                group_member.c.group_id == group.id, group_member.c.import_id == import_id
            )
            resize(tx, [group.id], -tx.execute(brought).rowcount)
            _change(tx, workspace_id, import_id, state=ImportState.UNDONE.value, ended_by=by)
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

        The import is then done, or failed where the file cannot be read or holds no valid number, or waiting where a
        person must choose the column. One cancelled meanwhile stays so. `progress` is called after each piece and must
        not block. Raises NotAllowed("import_begun") where it had ended before.
        """
        return ImportRun(self._database, self._clock, running, progress).work(path)

    def fail(self, running: Import, why: str) -> Import:
        """End an import that cannot be done; nothing of it is in the group."""
        return ImportRun(self._database, self._clock, running, lambda _progress: None).fail(why)

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


def _kept(tx: Connection, import_id: int, *which: Any) -> list[tuple[int, int]]:
    """Each number set aside that may be kept, once, with the first row it stands in, counted through all sheets."""
    may_be = (
        import_reject.c.import_id == import_id,
        import_reject.c.reason.in_([reason.value for reason in KEEPABLE]),
        import_reject.c.candidate.is_not(None),
    )
    first = select(func.min(import_reject.c.seq)).where(*may_be, *which).group_by(import_reject.c.candidate)
    query = select(import_reject.c.candidate, import_reject.c.sheet, import_reject.c.row).where(
        import_reject.c.import_id == import_id, import_reject.c.seq.in_(first)
    )
    sheets = tx.execute(select(number_import.c.sheets).where(number_import.c.id == import_id)).scalar_one()
    befores = dict(sheets_from_json(sheets))
    rows = tx.execute(query.order_by(import_reject.c.candidate))
    return [(row.candidate, befores.get(row.sheet, 0) + row.row) for row in rows]


def _task_with_numbers_of(done: Import) -> Any:
    """A task that was, is being or will be sent to a number that the import brought to its group.

    A task to other groups may hold the same number for its own reasons. Of a group that is gone, nobody can say.
    """
    live = select(customer_group.c.id).where(customer_group.c.workspace_id == done.workspace_id)
    through_it = (
        exists()
        .where(task_group.c.task_id == send_task.c.id, ~task_group.c.excluded)
        .where((task_group.c.group_id == done.group_id) | task_group.c.group_id.not_in(live))
    )
    holds = exists().where(
        group_member.c.group_id == done.group_id,
        group_member.c.import_id == done.id,
        recipient.c.number == group_member.c.number,
        recipient.c.task_id == send_task.c.id,
    )
    return (
        select(send_task.c.number)
        .where(
            send_task.c.workspace_id == done.workspace_id,
            send_task.c.state.not_in([state.value for state in _NEVER_SENT]),
            # Not when it ended: whoever confirmed may have looked at the clock and then waited for its group.
            send_task.c.confirmed_at >= done.started_at,
            through_it,
            holds,
        )
        .order_by(send_task.c.number)
        .limit(1)
    )


def _change(tx: Connection, workspace_id: str, import_id: int, **values: object) -> None:
    changed = update(number_import).where(number_import.c.id == import_id)
    tx.execute(changed.values({**values, "version": number_import.c.version + 1}))
    show_again(tx, workspace_id, PostKind.IMPORT, import_id)
