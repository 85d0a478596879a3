"""What the reading child tells its parent, as frames on a pipe: 4 bytes of length, a JSON head, a line end, cells.

Heads: `{"sheet": name, "skipped": why, "columns": […], "attributes": [name, …], "hidden": [rows, columns]}` announces
a sheet, and how many of its attributes stand `before` the numbers;
`{"range": [first, count], "hidden": 0, "done": 0.4}` or, with gaps, `{"rows": [row, …], …}` carries cells of
the sheet announced last: the number column's, and behind them as many of each attribute; `{"choose": sheet,
"columns": […]}` ends the reading with a question; `{"bad": why, "facts": {…}}` refuses the file; `{"end": true}` is the
last frame of one that was read whole.

JSON and plain text, not pickle or marshal: the child has read a stranger's file and is not to be believed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from struct import Struct

LENGTH = Struct(">I")
SEPARATOR = "\x1e"  # XML forbids it and no phone number has it


def pack(head: Mapping[str, object], cells: Sequence[str] = ()) -> bytes:
    """Return one frame with its length in front. A separator inside a cell becomes a space."""
    text = SEPARATOR.join(cells)
    if cells and text.count(SEPARATOR) != len(cells) - 1:
        text = SEPARATOR.join(cell.replace(SEPARATOR, " ") for cell in cells)
    body = f"{json.dumps(head)}\n{text}".encode("utf-8", "replace")
    return LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> tuple[dict[str, object], list[str]]:
    """Return head and cells of a frame without its length. Raises ValueError if it is no frame."""
    head, _, text = body.decode().partition("\n")
    found = json.loads(head)
    if not isinstance(found, dict):
        raise ValueError(f"not a frame: {head[:80]}")
    return found, text.split(SEPARATOR) if "done" in found else []
