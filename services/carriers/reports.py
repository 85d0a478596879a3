"""Several reports in one callback: one that cannot be read costs no other, and is kept for a look."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.carriers.ports import Receipt, UnreadableReceipts


def read_each(reports: Sequence[object], read: Callable[[Mapping[str, Any]], Receipt]) -> Sequence[Receipt]:
    """What `read` makes of each. Raises UnreadableReceipts where it raises that of any, and where there is none."""
    receipts: list[Receipt] = []
    unread: list[object] = []
    why = "no report in it"
    for report in reports:
        try:
            receipts.append(read(report if isinstance(report, dict) else {}))
        except UnreadableReceipts as error:
            why = why if unread else str(error)
            unread.append(report)
    if not receipts:
        raise UnreadableReceipts(why)
    if unread:
        # Half a character would not do in UTF-8.
        rest = json.dumps(unread, ensure_ascii=False).encode("utf-8", "replace")
        raise UnreadableReceipts(f"{len(unread)} of {len(reports)} reports, {why}", receipts, rest)
    return receipts
