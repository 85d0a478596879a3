"""What is known of an import, and how it is read from the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from services.errors import NotAllowed, UnknownThing
from services.models import customer_group, import_reject, number_import
from services.spreadsheets.reader import Column
from services.states import ImportState

NO_VALID_NUMBER = "no_valid_number"
GROUP_GONE = "group_gone"
IMPORT_ROW_COLUMNS = ["import_id", "seq", "number", "row", "attributes"]


class Purpose(StrEnum):
    """Where an import's numbers go: into a group, to one send alone, or onto the do-not-send list."""

    GROUP = "group"
    SEND = "send"
    OPT_OUTS = "opt_outs"


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

    `by_country_code` counts numbers, new to the group or not, that were read as country code + number. Of those set
    aside, `keepable` may be kept anyway; once somebody does, they are `kept` and stand in the other counts. `columns`
    are those of `columns_sheet` to choose from while it is waiting, `chosen` the choices so far: each sheet may ask for
    one of its own. `failure` is NO_VALID_NUMBER, GROUP_GONE or one of `BadFile.WHYS`; `ended_by` cancelled or undid it,
    which took `taken_out` numbers out of the group. `made_group` is the name of the group where it was made for this
    import. What is hidden in the file was left out, and so were the `numberless_sheets`, which have no column of
    numbers; the rows of both are in no other count.

    One for a single send has no group, and its `imported` are rows: a number may be there again with other attributes.
    For the do-not-send list there is no group either: the counts are of that list, and none is keepable, because those
    that might be kept are taken at once.
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
    keepable: int = 0
    kept: int = 0
    taken_out: int = 0
    hidden_rows: int = 0
    hidden_columns: int = 0
    hidden_sheets: int = 0
    numberless_sheets: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    columns_sheet: str = ""
    chosen: tuple[str, ...] = ()
    ended_by: str | None = None
    purpose: Purpose = Purpose.GROUP
    made_group: str | None = None

    @property
    def rejects(self) -> int:
        """How many rows the reject file lists."""
        return self.invalid + self.set_aside + self.kept

    @property
    def took(self) -> timedelta | None:
        """From the choice of the group, or of the column, to the last row stored."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: rows read and checked, the share of the file (0 to 1), then numbers stored of so many.

    One that `waits` has not begun, because others are worked on first.
    """

    rows: int
    done: float
    stored: int = 0
    to_store: int = 0
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that was not imported. `reason` is a `numbers.Reason`; `suggestion` E.164 text to try."""

    sheet: str
    row: int
    original: str
    reason: str
    suggestion: str | None


def find_import(connection: Connection, workspace_id: str, import_id: int) -> Import:
    """Raises UnknownThing, also for another workspace's import."""
    query = imports().where(number_import.c.id == import_id, number_import.c.workspace_id == workspace_id)
    row = connection.execute(query).first()
    if row is None:
        raise UnknownThing("import", str(import_id))
    return to_import(row)


def lock_import(tx: Connection, workspace_id: str, import_id: int) -> Import:
    """The same, and nobody else changes it before we commit."""
    locked = select(number_import.c.id).where(
        number_import.c.id == import_id, number_import.c.workspace_id == workspace_id
    )
    tx.execute(locked.with_for_update())
    return find_import(tx, workspace_id, import_id)


class Cancelled(Exception):
    """A person has cancelled the import that is being worked on."""


def lock_running(tx: Connection, running: Import) -> Import:
    """Raises Cancelled, or NotAllowed("import_begun") where it has ended otherwise."""
    now = lock_import(tx, running.workspace_id, running.id)
    if now.state is ImportState.CANCELLED:
        raise Cancelled
    if now.state is not ImportState.RUNNING:
        raise NotAllowed("import_begun")
    return now


def forget_rejects(tx: Connection, import_id: int) -> None:
    """Those noted so far: it starts over, or nothing of it is to stay."""
    tx.execute(delete(import_reject).where(import_reject.c.import_id == import_id))


def imports() -> Any:
    """The query whose rows `to_import` takes."""
    return select(number_import, customer_group.c.name.label("group")).outerjoin(
        customer_group, customer_group.c.id == number_import.c.group_id
    )


def to_import(row: Row[Any]) -> Import:
    """A row of `imports()`."""
    columns_sheet, columns = columns_from_json(row.columns) if row.columns else ("", ())
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
        keepable=row.keepable,
        kept=row.kept,
        taken_out=row.taken_out,
        hidden_rows=row.hidden_rows,
        hidden_columns=row.hidden_columns,
        hidden_sheets=row.hidden_sheets,
        numberless_sheets=names_from_json(row.numberless_sheets),
        columns=columns,
        columns_sheet=columns_sheet,
        chosen=names_from_json(row.chosen),
        ended_by=row.ended_by,
        purpose=Purpose(row.purpose),
        made_group=row.made_group,
    )


def columns_to_json(sheet: str, columns: Sequence[Column]) -> str:
    """For `number_import.columns`."""
    found = [[each.index, each.header, each.samples, each.choice] for each in columns]
    return json.dumps([sheet, found], ensure_ascii=False)


def columns_from_json(text: str) -> tuple[str, tuple[Column, ...]]:
    """The reverse."""
    sheet, found = json.loads(text)
    return sheet, tuple(Column(index, header, tuple(samples), choice) for index, header, samples, choice in found)


def names_to_json(names: Sequence[str]) -> str | None:
    """For columns that hold a list of names; NULL for none."""
    return json.dumps(names, ensure_ascii=False) if names else None


def names_from_json(text: str | None) -> tuple[str, ...]:
    """The reverse."""
    return tuple(json.loads(text)) if text else ()
