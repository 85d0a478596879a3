"""Groups: named sets of numbers of one SMS type."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError

from services.clock import Clock
from services.database import Database
from services.errors import NotAllowed, UnknownThing
from services.models import customer_group
from services.states import SmsType

NAME_LIMIT = 60


@dataclass(frozen=True, slots=True)
class Group:
    """`size` counts its numbers."""

    id: int
    name: str
    sms_type: SmsType
    size: int
    created_by: str
    created_at: datetime


class Groups:
    """The groups of every workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, workspace_id: str, name: str, sms_type: SmsType, by: str) -> Group:
        """Raises NotAllowed("group_name" | "group_exists" | "verification_group")."""
        name = clean_name(name)
        if sms_type is SmsType.VERIFICATION:
            raise NotAllowed("verification_group", group=name)
        values = {
            "workspace_id": workspace_id,
            "name": name,
            "name_key": name_key(name),
            "sms_type": sms_type.value,
            "created_by": by,
            "created_at": self._clock.now(),
        }
        with self._database.write() as tx:
            try:
                tx.execute(customer_group.insert().values(**values))
            except IntegrityError as error:
                raise NotAllowed("group_exists", group=name) from error
            tx.commit()
        return self.find(workspace_id, name)

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
        return _group(row)

    def by_id(self, workspace_id: str, group_id: int) -> Group:
        """Raises UnknownThing, also for another workspace's group."""
        with self._database.read() as connection:
            row = connection.execute(
                select(customer_group).where(
                    customer_group.c.workspace_id == workspace_id, customer_group.c.id == group_id
                )
            ).first()
        if row is None:
            raise UnknownThing("group", str(group_id))
        return _group(row)

    def list(self, workspace_id: str) -> list[Group]:
        """All of a workspace, by name."""
        query = select(customer_group).where(customer_group.c.workspace_id == workspace_id)
        with self._database.read() as connection:
            return [_group(row) for row in connection.execute(query.order_by(customer_group.c.name_key))]


def find_all(groups: Groups, workspace_id: str, names: Sequence[str]) -> list[Group]:
    """Each group once, in the order named. Raises UnknownThing."""
    found = {group.id: group for group in (groups.find(workspace_id, name) for name in names)}
    return [*found.values()]


def clean_name(name: str) -> str:
    """Trimmed, inner spaces single. Raises NotAllowed("group_name") unless it has 1 to 60 characters."""
    cleaned = _tidy(name)
    if not 1 <= len(cleaned) <= NAME_LIMIT:
        raise NotAllowed("group_name", name=name, limit=NAME_LIMIT)
    return cleaned


def name_key(name: str) -> str:
    """Equal for names that differ only in case, width, spacing or what nobody sees."""
    return _tidy(unicodedata.normalize("NFKC", _tidy(name)).casefold())


def _tidy(name: str) -> str:
    return " ".join("".join(c for c in name if c.isprintable() or c.isspace()).split())


def _group(row: Row[Any]) -> Group:
    return Group(row.id, row.name, SmsType(row.sms_type), row.size, row.created_by, row.created_at)
