"""A task's recipients: copied when it is confirmed, in order, and cut into batches.

Recipients 1 to `distinct_numbers` are in ascending order of their numbers, each once. Further copies of a number, with
other values, follow behind them: all second copies in order, then all third ones. Each of these layers is cut by
itself, so that no batch holds a number twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, insert, literal, select

from services.bulk import BulkWriter
from services.models import batch, group_member, recipient
from services.states import BatchState

# A small first batch goes alone, so that a bad send is noticed before it is large.
FIRST_BATCH = 200

_BATCH_COLUMNS = ["task_id", "no", "first", "last", "application_id", "reference", "state"]


def member_rows(group_ids: Sequence[int], excluded_ids: Sequence[int]) -> Select[Any]:
    """`number`, `import_id`, `row` and `attributes` of the members of any of the groups and none of the excluded ones.

    A number in several groups comes once, as the group with the lowest id has it.
    """
    chosen = [group_member.c.number, group_member.c.import_id, group_member.c.row, group_member.c.attributes]
    query = select(*chosen).where(group_member.c.group_id.in_(group_ids))
    other = group_member.alias()
    same_number = select(literal(1)).where(other.c.number == group_member.c.number)
    if len(group_ids) > 1:
        earlier = same_number.where(other.c.group_id.in_(group_ids), other.c.group_id < group_member.c.group_id)
        query = query.where(~earlier.exists())
    if excluded_ids:
        query = query.where(~same_number.where(other.c.group_id.in_(excluded_ids)).exists())
    return query


def copy_recipients(tx: Connection, task_id: int, rows: Select[Any]) -> int:
    """Copy rows such as `member_rows` gives, each number once, in order of their numbers. Returns how many."""
    found = rows.subquery()
    numbered = select(
        literal(task_id),
        func.row_number().over(order_by=found.c.number),
        found.c.number,
        found.c.import_id,
        found.c.row,
        found.c.attributes,
    ).order_by(found.c.number)
    columns = ["task_id", "seq", "number", "import_id", "row", "attributes"]
    copied = insert(recipient).from_select(columns, numbered)
    # psycopg forgets how many rows an INSERT wrote when its cursor closes.
    return int(tx.execute(copied, execution_options={"preserve_rowcount": True}).rowcount)


def plan_batches(
    tx: Connection,
    bulk: BulkWriter,
    *,
    task_id: int,
    application_id: int,
    token: str,
    layers: Sequence[int],
    max_numbers: int,
) -> None:
    """Plan a task's batches. `layers` are the sizes of its layers; `token` is what no other task's references have."""
    rows = (
        (task_id, no, first, last, application_id, f"{token}-{no}", BatchState.PLANNED.value)
        for no, (first, last) in enumerate(plan(layers, max_numbers), start=1)
    )
    bulk.insert(tx, batch, _BATCH_COLUMNS, rows)


def plan(layers: Sequence[int], max_numbers: int) -> list[tuple[int, int]]:
    """The ranges of sequence numbers of a task's batches: a small first one, then as large as a request takes."""
    ranges: list[tuple[int, int]] = []
    behind = 0
    for size in layers:
        begin, end = behind + 1, behind + size
        if not ranges and size:
            begin += min(size, FIRST_BATCH, max_numbers)
            ranges.append((behind + 1, begin - 1))
        ranges += [(start, min(start + max_numbers - 1, end)) for start in range(begin, end + 1, max_numbers)]
        behind = end
    return ranges
