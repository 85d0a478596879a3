"""The process that reads a stranger's file: `python -m services.spreadsheets.child PATH MEMORY_LIMIT_BYTES OPTIONS`.

OPTIONS is a JSON object: `chosen`, `attributes` and `ask` as in `reader.read_numbers`. It limits its own memory before
it looks at the file, and writes frames (see `frames`) to standard output. A file that takes it down takes nothing else
with it.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import BinaryIO

from services.errors import BadFile
from services.spreadsheets import columns, kinds, texts
from services.spreadsheets.lines import blocks_of_lines
from services.spreadsheets.markup import send_html, send_xml
from services.spreadsheets.sender import Asked, Sender
from services.spreadsheets.tables import Table, blocks_of
from services.spreadsheets.workbooks import send_workbook

# As many numbers as one customer's row may hold; more in one line are a list, as people paste it from their phones.
MOST_OF_ONE = 2


def send_text(file: BinaryIO, size: int, sender: Sender) -> None:
    """Send a csv, tsv or txt as one sheet without a name."""
    shape = texts.shape_of(file)
    position = file.tell

    def done(_row: int) -> float:
        return min(1.0, position() / size)

    table = Table("")
    listed = texts.cells_of_only_line(file, shape)
    if len(listed) > MOST_OF_ONE and all(map(columns.likeness, listed)):
        table.blocks = blocks_of(table, ([cell] for cell in listed), 1, bytearray(), lambda _row: 1.0)
    elif shape.has_quotes:
        table.blocks = blocks_of(table, texts.rows_of(file, shape), 1, bytearray(), done)
    else:
        table.blocks = blocks_of_lines(file, shape, lambda: done(0), lambda: table.wanted)
    sender.send_table(table)


def main(path: Path, memory_limit_bytes: int, sender: Sender) -> None:
    """Read the file and send it, or say why not. What is not foreseen here ends the process with a traceback."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))
    try:
        with path.open("rb") as file:
            kind = kinds.kind_of(file)
            if kind == "text":
                send_text(file, path.stat().st_size, sender)
            elif kind == "html":
                send_html(file, path.stat().st_size, sender)
            elif kind == "xml":
                send_xml(file, sender)
            else:
                send_workbook(file, kind, sender)
        sender.finish()
    except Asked:
        return
    except BadFile as error:
        sender.send({"bad": error.why, "facts": error.facts})
    except MemoryError:
        sender.send({"bad": "expands_too_much", "facts": {}})
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        # How a Rust library says that it met what it believed impossible: a damaged file.
        sender.send({"bad": "truncated", "facts": {"error": str(error)[:200]}})


if __name__ == "__main__":
    options = json.loads(sys.argv[3])
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        Sender(sys.stdout.buffer, options["chosen"], attributes=options["attributes"], ask=options["ask"]),
    )
