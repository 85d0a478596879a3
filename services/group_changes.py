"""What changes a whole group: rename, copy, merge, split by country, delete. Sizes stay exact.

A confirmed send task has its own copy of its recipients, so nothing here changes what it sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from services.clock import Clock
from services.database import Database
from services.errors import NotAllowed
from services.groups import NAME_LIMIT, Group, add_group, clean_name, group_by_id, name_key, resize
from services.models import customer_group, group_member, number_import, send_task, task_group
from services.number_regions import Run, runs
from services.states import ImportState, TaskState

_NOT_OVER = [state.value for state in TaskState if not state.is_over and state is not TaskState.DRAFT]
_COLUMNS = ["group_id", "number", "import_id", "row", "attributes"]


@dataclass(frozen=True, slots=True)
class Merged:
    """`name` is gone; `into` has `added` more numbers than before, and had `already` of them."""

    name: str
    into: Group
    added: int
    already: int


@dataclass(frozen=True, slots=True)
class References:
    """What refers to a group: confirmed tasks that are not over, by their numbers, and previews nobody confirmed."""

    tasks: Sequence[int]
    drafts: int


class GroupChanges:
    """Changes groups of every workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def rename(self, workspace_id: str, group_id: int, name: str) -> Group:
        """Tasks keep the name they were confirmed with. Raises UnknownThing or NotAllowed."""
        name = clean_name(name)
        with self._database.write() as tx:
            group_by_id(tx, workspace_id, group_id, lock=True)
            renamed = update(customer_group).where(customer_group.c.id == group_id)
            try:
                tx.execute(renamed.values(name=name, name_key=name_key(name)))
            except IntegrityError as error:
                raise NotAllowed("group_exists", group=name) from error
            tx.commit()
            return group_by_id(tx, workspace_id, group_id)

    def copy(self, workspace_id: str, group_id: int, name: str, by: str) -> Group:
        """A new group of the same numbers and SMS type. Raises UnknownThing or NotAllowed."""
        with self._database.write() as tx:
            source = group_by_id(tx, workspace_id, group_id, lock=True)
            copied = add_group(tx, workspace_id, name, source.sms_type, by, self._clock.now())
            resize(tx, [copied], _copy_members(tx, source.id, copied))
            tx.commit()
            return group_by_id(tx, workspace_id, copied)

    def merge(self, workspace_id: str, group_id: int, into_id: int) -> Merged:
        """Move a group's numbers and imports into another one of its SMS type, and delete it.

        A number in both stays as the other group has it. Raises UnknownThing, or NotAllowed("merge_with_itself" |
        "merge_types_differ" | "group_importing").
        """
        if group_id == into_id:
            raise NotAllowed("merge_with_itself")
        with self._database.write() as tx:
            # Always in one order, so that two merges cannot wait for each other.
            locked = {each: group_by_id(tx, workspace_id, each, lock=True) for each in sorted((group_id, into_id))}
            source, into = locked[group_id], locked[into_id]
            if source.sms_type is not into.sms_type:
                raise NotAllowed(
                    "merge_types_differ",
                    group=source.name,
                    group_type=source.sms_type.value,
                    other=into.name,
                    other_type=into.sms_type.value,
                )
            _refuse_while_importing(tx, source)
            added = _copy_members(tx, source.id, into.id)
            resize(tx, [into.id], added)
            tx.execute(update(number_import).where(number_import.c.group_id == source.id).values(group_id=into.id))
            already = _remove(tx, source) - added
            tx.commit()
            return Merged(source.name, group_by_id(tx, workspace_id, into.id), added, already)

    def countries(self, workspace_id: str, group_id: int) -> list[tuple[str | None, int]]:
        """How many numbers each region ("CN") has, most first; None holds those of no country. Raises UnknownThing."""
        with self._database.read() as connection:
            group_by_id(connection, workspace_id, group_id)
            by_region = _by_region(connection, group_id)
        sizes = [(region, sum(run.size for run in found)) for region, found in by_region.items()]
        return sorted(sizes, key=lambda each: (-each[1], each[0] or ""))

    def split(self, workspace_id: str, group_id: int, by: str) -> list[Group]:
        """A new group for each country, of the same SMS type: `vip CN`, `vip HK`, …; the group itself stays.

        Raises UnknownThing, or NotAllowed("one_country" | "group_exists").
        """
        with self._database.write() as tx:
            source = group_by_id(tx, workspace_id, group_id, lock=True)
            by_region = _by_region(tx, group_id)
            if len(by_region) < 2:
                raise NotAllowed("one_country", group=source.name)
            made = []
            for region, found in by_region.items():
                part = add_group(
                    tx, workspace_id, part_name(source.name, region), source.sms_type, by, self._clock.now()
                )
                resize(tx, [part], sum(_copy_members(tx, source.id, part, run) for run in found))
                made.append(group_by_id(tx, workspace_id, part))
            tx.commit()
        return sorted(made, key=lambda group: (-group.size, group.name))

    def references(self, workspace_id: str, group_id: int) -> References:
        """What a person should know before deleting a group."""
        query = (
            select(send_task.c.number, send_task.c.state)
            .join(task_group, task_group.c.task_id == send_task.c.id)
            .where(send_task.c.workspace_id == workspace_id, task_group.c.group_id == group_id)
            .where(send_task.c.state.in_([*_NOT_OVER, TaskState.DRAFT.value]))
            .order_by(send_task.c.number)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        tasks = [row.number for row in rows if row.state != TaskState.DRAFT]
        return References(tasks, len(rows) - len(tasks))

    def delete(self, workspace_id: str, group_id: int) -> Group:
        """The group as it was. Its imports stay known, without a group. Raises UnknownThing or NotAllowed."""
        with self._database.write() as tx:
            group = group_by_id(tx, workspace_id, group_id, lock=True)
            _refuse_while_importing(tx, group)
            tx.execute(update(number_import).where(number_import.c.group_id == group.id).values(group_id=None))
            _remove(tx, group)
            tx.commit()
        return group


def part_name(name: str, region: str | None) -> str:
    """What a country's part of a group is called."""
    suffix = f" {region or 'other'}"
    return name[: NAME_LIMIT - len(suffix)].rstrip() + suffix


def _by_region(connection: Connection, group_id: int) -> dict[str | None, list[Run]]:
    query = select(group_member.c.number).where(group_member.c.group_id == group_id).order_by(group_member.c.number)
    found: dict[str | None, list[Run]] = {}
    for run in runs(connection.execute(query, execution_options={"yield_per": 20_000}).scalars()):
        found.setdefault(run.region, []).append(run)
    return found


def _copy_members(tx: Connection, source: int, target: int, run: Run | None = None) -> int:
    """Those that the target does not have yet, each still of the import that brought it. Returns how many."""
    existing = group_member.alias()
    is_there = select(literal(1)).where(existing.c.group_id == target, existing.c.number == group_member.c.number)
    chosen = and_(group_member.c.group_id == source, ~is_there.exists())
    if run is not None:
        chosen = and_(chosen, group_member.c.number.between(run.first, run.last))
    rows = select(literal(target), *(group_member.c[name] for name in _COLUMNS[1:])).where(chosen)
    copied = insert(group_member).from_select(_COLUMNS, rows.order_by(group_member.c.number))
    # psycopg forgets how many rows an INSERT wrote when its cursor closes.
    return int(tx.execute(copied, execution_options={"preserve_rowcount": True}).rowcount)


def _remove(tx: Connection, group: Group) -> int:
    """Delete a group that no import refers to; returns how many numbers it had."""
    removed = tx.execute(delete(group_member).where(group_member.c.group_id == group.id)).rowcount
    tx.execute(delete(customer_group).where(customer_group.c.id == group.id))
    return removed


def _refuse_while_importing(tx: Connection, group: Group) -> None:
    running = (
        select(func.count())
        .select_from(number_import)
        .where(number_import.c.group_id == group.id, number_import.c.state == ImportState.RUNNING.value)
    )
    if tx.execute(running).scalar_one():
        raise NotAllowed("group_importing", group=group.name)
