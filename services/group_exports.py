"""All numbers of a group with what is known about each, for a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from services.database import Database
from services.entries import is_typed
from services.models import group_member, number_import
from services.number_regions import RegionReader
from services.sheets import befores_from_json, row_in_sheet


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

    def columns(self, workspace_id: str, group_id: int) -> list[str]:
        """The names of all attributes that a number of the group has, as first met."""
        query = (
            select(group_member.c.attributes)
            .where(group_member.c.group_id == group_id, group_member.c.attributes.is_not(None))
            .order_by(group_member.c.number)
        )
        names: dict[str, None] = {}
        with self._database.read(workspace_id) as connection:
            for attributes in connection.execution_options(yield_per=5000).execute(query).scalars():
                names.update(dict.fromkeys(json.loads(attributes)))
        return list(names)

    def rows(self, workspace_id: str, group_id: int, columns: Sequence[str]) -> Iterator[ExportedNumber]:
        """Every number, with these attributes."""
        of_group = group_member.c.group_id == group_id
        brought = select(number_import).where(
            number_import.c.id.in_(select(group_member.c.import_id).where(of_group).distinct())
        )
        query = (
            select(group_member.c.number, group_member.c.import_id, group_member.c.row, group_member.c.attributes)
            .where(of_group)
            .order_by(group_member.c.number)
        )
        regions = RegionReader()
        with self._database.read(workspace_id) as connection:
            # Not joined: the same few imports stand behind a million numbers.
            imports = {
                row.id: (row.finished_at, _file(row), befores_from_json(row.sheets))
                for row in connection.execute(brought)
            }
            for number, import_id, row, attributes in connection.execution_options(yield_per=5000).execute(query):
                since, file, befores = imports.get(import_id, (None, "", ()))
                known = json.loads(attributes) if attributes else {}
                others = [known.get(name, "") for name in columns]
                place = row_in_sheet(row, befores)
                yield ExportedNumber(number, regions.region_of(number), since, file, place, others)


def _file(row: Row[Any]) -> str:
    return "" if is_typed(row.file_id) else str(row.file_name)
