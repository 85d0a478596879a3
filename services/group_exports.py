"""All numbers of a group with what is known about each, for a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from services.database import Database
from services.entries import is_typed
from services.models import group_member, number_import
from services.number_regions import RegionReader


@dataclass(frozen=True, slots=True)
class ExportedNumber:
    """`file` is empty for a typed number; it and `since` are empty or None where the import is no longer known.

    `attributes` stand in the order of the columns asked for, empty where the number has none.
    """

    number: int
    region: str | None
    since: datetime | None
    file: str
    row: int
    attributes: Sequence[str]


class GroupExports:
    """Reads whole groups, in order of their numbers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def columns(self, group_id: int) -> list[str]:
        """The names of all attributes that a number of the group has, as first met."""
        query = (
            select(group_member.c.attributes)
            .where(group_member.c.group_id == group_id, group_member.c.attributes.is_not(None))
            .order_by(group_member.c.number)
        )
        names: dict[str, None] = {}
        with self._database.read() as connection:
            for attributes in connection.execution_options(yield_per=5000).execute(query).scalars():
                names.update(dict.fromkeys(json.loads(attributes)))
        return list(names)

    def rows(self, group_id: int, columns: Sequence[str]) -> Iterator[ExportedNumber]:
        """Every number, with these attributes."""
        query = (
            select(
                group_member.c.number,
                group_member.c.row,
                group_member.c.attributes,
                number_import.c.finished_at,
                number_import.c.file_id,
                number_import.c.file_name,
            )
            .outerjoin(number_import, number_import.c.id == group_member.c.import_id)
            .where(group_member.c.group_id == group_id)
            .order_by(group_member.c.number)
        )
        regions = RegionReader()
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=5000).execute(query):
                known = json.loads(row.attributes) if row.attributes else {}
                yield ExportedNumber(
                    number=row.number,
                    region=regions.region_of(row.number),
                    since=row.finished_at,
                    file="" if row.file_id is None or is_typed(row.file_id) else row.file_name,
                    row=row.row,
                    attributes=[known.get(name, "") for name in columns],
                )
