"""What a carrier echoes in each receipt of a batch. It says which task the receipt is of, without a look at a table."""

from __future__ import annotations

import re

# At most 18 digits: whatever a stranger sends fits into the column.
_TASK = re.compile(r"([1-9][0-9]{0,17})-.+-[0-9]+", re.ASCII)
NO_TASK = 0


def reference_of(task_id: int, token: str, no: int) -> str:
    """The reference of a task's batch. The token is what a stranger cannot guess."""
    return f"{task_id}-{token}-{no}"


def task_of(reference: str | None) -> int:
    """Which task a reference names, whether or not there is one; NO_TASK where it names none."""
    found = _TASK.fullmatch(reference or "")
    return int(found[1]) if found else NO_TASK
