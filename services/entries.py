"""Numbers typed into a form, taken into a group or for one send alone, as an import without a file."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, exists, insert, select, update

from services.clock import Clock
from services.database import Database, insert_row
from services.default_regions import MAINLAND
from services.errors import NotAllowed
from services.groups import group_by_id
from services.import_records import IMPORT_ROW_COLUMNS, Import, Purpose, find_import
from services.import_tally import KEEPABLE
from services.models import customer_group, group_member, import_reject, import_row, number_import, send_task
from services.numbers import Verdict, check
from services.states import ImportState

# The console's own limit; more is a file's work.
MOST_NUMBERS = 100
_TYPED = "typed:"
_NAME = "typed numbers"


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that is not taken as it stands; `line` counts from 1 as in the form, empty ones included."""

    line: int
    text: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class CheckedLines:
    """What was typed: (line, number) of each right line, repeated ones too, and the wrong ones."""

    right: Sequence[tuple[int, int]]
    wrong: Sequence[WrongLine]
    by_country_code: frozenset[int]


class Entries:
    """Takes typed numbers into groups."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def enter(self, workspace_id: str, group_id: int, lines: CheckedLines, channel: str, by: str) -> Import:
        """Take the right lines into the group and note the wrong ones as left out. Raises UnknownThing.

        It can be kept and undone as any import (`Imports.keep`, `Imports.undo`).
        """
        first = dict(reversed([(number, line) for line, number in lines.right]))
        with self._database.write() as tx:
            group_by_id(tx, workspace_id, group_id, lock=True)
            import_id = insert_row(tx, insert(number_import).values(self._import(workspace_id, group_id, channel, by)))
            members = ((group_id, number, import_id, line) for number, line in sorted(first.items()))
            columns = ["group_id", "number", "import_id", "row"]
            imported = self._database.bulk.insert_new(tx, group_member, columns, members)
            columns = ["import_id", "seq", "sheet", "row", "original", "reason", "suggestion", "candidate"]
            rejects = [(import_id, seq, *_reject(wrong)) for seq, wrong in enumerate(lines.wrong)]
            self._database.bulk.insert(tx, import_reject, columns, rejects)
            tx.execute(
                update(customer_group)
                .where(customer_group.c.id == group_id)
                .values(size=customer_group.c.size + imported)
            )
            set_aside = sum(wrong.verdict.set_aside for wrong in lines.wrong)
            counts = {
                "rows": len(lines.right) + len(lines.wrong),
                "imported": imported,
                "already_in_group": len(first) - imported,
                "duplicates": len(lines.right) - len(first),
                "invalid": len(lines.wrong) - set_aside,
                "set_aside": set_aside,
                "keepable": sum(map(_is_keepable, lines.wrong)),
                "by_country_code": len(lines.by_country_code),
            }
            tx.execute(update(number_import).where(number_import.c.id == import_id).values(counts))
            tx.commit()
            return find_import(tx, workspace_id, import_id)

    def keep_for_send(self, workspace_id: str, lines: CheckedLines, channel: str, by: str) -> int:
        """Keep the right lines for one send alone, and note the wrong ones as left out. Returns the import's id."""
        first = dict(reversed([(number, line) for line, number in lines.right]))
        set_aside = sum(wrong.verdict.set_aside for wrong in lines.wrong)
        values = self._import(workspace_id, None, channel, by) | {
            "purpose": Purpose.SEND.value,
            "rows": len(lines.right) + len(lines.wrong),
            "imported": len(first),
            "duplicates": len(lines.right) - len(first),
            "invalid": len(lines.wrong) - set_aside,
            "set_aside": set_aside,
            "by_country_code": len(lines.by_country_code),
        }
        with self._database.write() as tx:
            import_id = insert_row(tx, insert(number_import).values(values))
            rows = [(import_id, seq, number, first[number], None) for seq, number in enumerate(sorted(first), start=1)]
            self._database.bulk.insert(tx, import_row, IMPORT_ROW_COLUMNS, rows)
            columns = ["import_id", "seq", "sheet", "row", "original", "reason", "suggestion", "candidate"]
            rejects = [(import_id, seq, *_reject(wrong)) for seq, wrong in enumerate(lines.wrong)]
            self._database.bulk.insert(tx, import_reject, columns, rejects)
            tx.commit()
        return import_id

    def _import(self, workspace_id: str, group_id: int | None, channel: str, by: str) -> dict[str, object]:
        now = self._clock.now()
        return {
            "workspace_id": workspace_id,
            "channel": channel,
            "thread_ts": "",
            "file_id": _TYPED + secrets.token_hex(8),
            "file_name": _NAME,
            "file_size": 0,
            "file_url": "",
            "uploaded_by": by,
            "group_id": group_id,
            "state": ImportState.DONE.value,
            "received_at": now,
            "started_at": now,
            "finished_at": now,
        }


def forget_unsent(tx: Connection, before: datetime) -> None:
    """Delete numbers typed for a send that no draft or task refers to any more."""
    used = exists().where(send_task.c.import_id == number_import.c.id)
    unsent = select(number_import.c.id).where(
        number_import.c.purpose == Purpose.SEND.value,
        number_import.c.file_id.startswith(_TYPED, autoescape=True),
        number_import.c.received_at < before,
        ~used,
    )
    ids = tx.execute(unsent).scalars().all()
    for table in (import_row, import_reject):
        tx.execute(delete(table).where(table.c.import_id.in_(ids)))
    tx.execute(delete(number_import).where(number_import.c.id.in_(ids)))


def is_typed(file_id: str) -> bool:
    """Whether an import has no file behind it."""
    return file_id.startswith(_TYPED)


def check_lines(text: str, region: str = MAINLAND, *, keep_set_aside: bool = False) -> CheckedLines:
    """One number a line, without country code one of `region`; empty lines are passed over. `keep_set_aside` takes
    those in no assigned range, and landlines.

    Raises NotAllowed("too_many_lines" | "no_lines").
    """
    # Not splitlines(): a form has one kind of line end, and a separator pasted along is part of what was typed.
    lines = [(no, line.strip()) for no, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1) if line.strip()]
    if not lines:
        raise NotAllowed("no_lines", limit=MOST_NUMBERS)
    if len(lines) > MOST_NUMBERS:
        raise NotAllowed("too_many_lines", number=len(lines), limit=MOST_NUMBERS)
    right, wrong, by_code = [], [], set()
    for no, line in lines:
        verdict = check(line, region)
        number = verdict.number
        if number is None and keep_set_aside and verdict.reason in KEEPABLE:
            number = verdict.candidate
        if number is None:
            wrong.append(WrongLine(no, line, verdict))
            continue
        right.append((no, number))
        if verdict.by_country_code:
            by_code.add(number)
    return CheckedLines(right, wrong, frozenset(by_code))


def _is_keepable(wrong: WrongLine) -> bool:
    return wrong.verdict.reason in KEEPABLE and wrong.verdict.candidate is not None


def _reject(wrong: WrongLine) -> tuple[object, ...]:
    verdict = wrong.verdict
    assert verdict.reason is not None
    # PostgreSQL's text takes no NUL.
    original = wrong.text.replace("\0", "")
    return "", wrong.line, original, verdict.reason.value, verdict.suggestion, verdict.candidate
