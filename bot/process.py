"""How the process as a whole is set up, for those that send."""

from __future__ import annotations

import gc
import os
import socket

from services.database import Database

# New objects until Python looks for those that refer to each other in a circle. Its own 700 are there after half a
# batch, and looking took a quarter of the time of sending.
_LOOK_AFTER = 20_000


def spare_the_collector() -> None:
    """Let Python look for circular garbage less often. Nearly all of ours is freed without it."""
    gc.freeze()
    gc.set_threshold(_LOOK_AFTER, 20, 20)


def process_name(database: Database) -> str:
    """What this process is called where several share a database. SQLite has but one, the same after a restart."""
    return "embedded" if database.is_sqlite else f"{socket.gethostname()}-{os.getpid()}"
