"""A task's recipients: copied when it is confirmed, in order, and cut into batches.

Recipients 1 to `distinct_numbers` are in ascending order of their numbers, each once. Further copies of a number, with
other values, follow behind them: all second copies in order, then all third ones. Each of these layers is cut by
itself, so that no batch holds a number twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, literal, select

from services.bulk import BulkWriter
from services.carriers.ports import Limits
from services.models import batch, recipient
from services.references import reference_of
from services.states import BatchState

# A small first batch goes alone, so that a bad send is noticed before it is large.
FIRST_BATCH = 200

_BATCH_COLUMNS = ["task_id", "no", "first", "last", "application_id", "reference", "state"]


def copy_recipients(tx: Connection, task_id: int, rows: Select[Any]) -> int:
    """Copy rows of number, import_id, row and attributes, each number once, in their order. Returns how many."""
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


def plan_batches(bulk: BulkWriter, tx: Connection, draft: Row[Any], layers: Sequence[int], limits: Limits) -> None:
    """Plan the batches of a draft (a row of send_task); `layers` are the sizes of its layers."""
    max_numbers = limits.plain if draft.variables is None else limits.with_values
    rows = (
        (
            draft.id,
            no,
            first,
            last,
            draft.application_id,
            reference_of(draft.id, draft.token, no),
            BatchState.PLANNED.value,
        )
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
