"""Groups: named sets of numbers of one SMS type."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select
from sqlalchemy.exc import IntegrityError

from services.clock import Clock
from services.database import Database, insert_row
from services.errors import NotAllowed, UnknownThing
from services.models import customer_group, number_import, send_task, task_group
from services.states import ImportState, SmsType

NAME_LIMIT = 60
# Zero-width non-joiner and joiner.
_JOINERS = "\u200c\u200d"
_LOOSE_JOINER = re.compile(rf"(?<!\S)[{_JOINERS}]+|[{_JOINERS}]+(?!\S)")
_REPEATED_JOINER = re.compile(rf"([{_JOINERS}])[{_JOINERS}]+")
# Hangul fillers and the blank of Braille: letters and a symbol by their category, and nothing to the eye.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"


@dataclass(frozen=True, slots=True)
class Group:
    """`size` counts its numbers."""

    id: int
    name: str
    sms_type: SmsType
    size: int
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """A group with when numbers were last taken into it, and when a task last began to send to it."""

    group: Group
    last_import: datetime | None
    last_send: datetime | None

    @property
    def last_use(self) -> datetime:
        """The latest of all that was done with it."""
        return max(filter(None, (self.group.created_at, self.last_import, self.last_send)))


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Some of a workspace's groups. `page` counts from 1 and is never beyond `pages`; `total` counts all that match."""

    groups: Sequence[ListedGroup]
    page: int
    pages: int
    total: int


class Groups:
    """The groups of every workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, workspace_id: str, name: str, sms_type: SmsType, by: str) -> Group:
        """Raises NotAllowed("group_name" | "group_exists" | "verification_group")."""
        with self._database.write() as tx:
            group_id = add_group(tx, workspace_id, name, sms_type, by, self._clock.now())
            tx.commit()
        return self.by_id(workspace_id, group_id)

    def find(self, workspace_id: str, name: str) -> Group:
        """By name, whatever its case or width. Raises UnknownThing."""
        with self._database.read() as connection:
            row = connection.execute(
                select(customer_group).where(
                    customer_group.c.workspace_id == workspace_id, customer_group.c.name_key == name_key(name)
                )
            ).first()
        if row is None:
            raise UnknownThing("group", name, [group.name for group in self.list(workspace_id)])
        return group_of(row)

    def by_id(self, workspace_id: str, group_id: int) -> Group:
        """Raises UnknownThing, also for another workspace's group."""
        with self._database.read() as connection:
            return group_by_id(connection, workspace_id, group_id)

    def page(self, workspace_id: str, name: str = "", page: int = 1, size: int = 10) -> GroupPage:
        """Those whose name holds `name`, whatever its case or width, by name."""
        query = _listed(workspace_id).where(customer_group.c.name_key.contains(name_key(name), autoescape=True))
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
            pages = max(1, -(-total // size))
            page = min(max(page, 1), pages)
            rows = connection.execute(query.order_by(customer_group.c.name_key).limit(size).offset((page - 1) * size))
            return GroupPage([_listed_group(row) for row in rows], page, pages, total)

    def recent(self, workspace_id: str) -> list[Group]:
        """All of a workspace, the last used first: for menus, which hold only some."""
        with self._database.read() as connection:
            listed = [_listed_group(row) for row in connection.execute(_listed(workspace_id))]
        listed.sort(key=lambda each: (each.last_use, each.group.id), reverse=True)
        return [each.group for each in listed]

    def list(self, workspace_id: str) -> list[Group]:
        """All of a workspace, by name."""
        with self._database.read() as connection:
            return groups_of(connection, workspace_id)


def find_all(groups: Groups, workspace_id: str, names: Sequence[str]) -> list[Group]:
    """Each group once, in the order named. Raises UnknownThing."""
    found = {group.id: group for group in (groups.find(workspace_id, name) for name in names)}
    return [*found.values()]


def add_group(tx: Connection, workspace_id: str, name: str, sms_type: SmsType, by: str, now: datetime) -> int:
    """Make an empty group and return its id. Raises NotAllowed, after which nothing else can be done in `tx`."""
    name = clean_name(name)
    if sms_type is SmsType.VERIFICATION:
        raise NotAllowed("verification_group", group=name)
    values = {
        "workspace_id": workspace_id,
        "name": name,
        "name_key": name_key(name),
        "sms_type": sms_type.value,
        "created_by": by,
        "created_at": now,
    }
    try:
        return insert_row(tx, customer_group.insert().values(**values))
    except IntegrityError as error:
        raise NotAllowed("group_exists", group=name) from error


def group_by_id(connection: Connection, workspace_id: str, group_id: int, *, lock: bool = False) -> Group:
    """Raises UnknownThing, also for another workspace's group. `lock`: nobody else changes it before we commit."""
    query = select(customer_group).where(customer_group.c.workspace_id == workspace_id, customer_group.c.id == group_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise UnknownThing("chosen group", str(group_id))
    return group_of(row)


def groups_of(connection: Connection, workspace_id: str) -> list[Group]:
    """All of a workspace, by name."""
    query = select(customer_group).where(customer_group.c.workspace_id == workspace_id)
    return [group_of(row) for row in connection.execute(query.order_by(customer_group.c.name_key))]


def clean_name(name: str) -> str:
    """Trimmed, inner spaces single. Raises NotAllowed("group_name") unless it has 1 to 60 characters."""
    cleaned = tidy(name)
    if not 1 <= len(cleaned) <= NAME_LIMIT:
        raise NotAllowed("group_name", name=name, limit=NAME_LIMIT)
    return cleaned


def name_key(name: str) -> str:
    """Equal for names that differ only in case, width, spacing or what nobody sees, joiners included."""
    plain = unicodedata.normalize("NFKC", _without_unseen(name)).casefold()
    return _without_unseen("".join(c for c in plain if c not in _JOINERS and c not in _BLANK))


def tidy(name: str) -> str:
    """Trimmed, inner spaces single, without what nobody sees; empty where nothing is left to be seen.

    A joiner within a word stays: Persian and Hindi words are written otherwise without it.
    """
    tidied = _without_unseen(name)
    return tidied if any(unicodedata.category(c)[0] in "LNPS" and c not in _BLANK for c in tidied) else ""


def _without_unseen(name: str) -> str:
    seen = "".join(c for c in name if c.isprintable() or c.isspace() or c in _JOINERS)
    return " ".join(_REPEATED_JOINER.sub(r"\1", _LOOSE_JOINER.sub("", seen)).split())


def group_of(row: Row[Any]) -> Group:
    """A row of `customer_group`."""
    return Group(row.id, row.name, SmsType(row.sms_type), row.size, row.created_by, row.created_at)


def _listed(workspace_id: str) -> Select[Any]:
    imports = (
        select(number_import.c.group_id, func.max(number_import.c.finished_at).label("last_import"))
        .where(number_import.c.workspace_id == workspace_id, number_import.c.state == ImportState.DONE.value)
        .group_by(number_import.c.group_id)
        .subquery()
    )
    sends = (
        select(task_group.c.group_id, func.max(send_task.c.started_at).label("last_send"))
        .join(send_task, send_task.c.id == task_group.c.task_id)
        .where(send_task.c.workspace_id == workspace_id, ~task_group.c.excluded)
        .group_by(task_group.c.group_id)
        .subquery()
    )
    return (
        select(customer_group, imports.c.last_import, sends.c.last_send)
        .outerjoin(imports, imports.c.group_id == customer_group.c.id)
        .outerjoin(sends, sends.c.group_id == customer_group.c.id)
        .where(customer_group.c.workspace_id == workspace_id)
    )


def _listed_group(row: Row[Any]) -> ListedGroup:
    return ListedGroup(group_of(row), row.last_import, row.last_send)
