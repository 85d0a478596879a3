"""What only one process may do at a time, held in the database for as long as it is renewed."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from services.clock import Clock
from services.database import Database
from services.models import lease

# That of whichever process ticks. A copy of the database holds it instead, so that nothing ticks or sends meanwhile.
TICKS = "ticks"
_COPYING = "copy-database"


def name_of_copy() -> str:
    """What a copy of the database is called where it holds a lease; two at once are two."""
    return f"{_COPYING}-{secrets.token_hex(4)}"


def is_copy(owner: str | None) -> bool:
    """Whether it is `name_of_copy` that holds a lease."""
    return owner is not None and owner.startswith(_COPYING)


class Leases:
    """Named leases. `owner` is this process; the clocks of a fleet's machines have to agree within a second."""

    def __init__(self, database: Database, clock: Clock, owner: str) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner

    def hold(self, name: str, duration: timedelta) -> bool:
        """Take or renew it for so long from now. False where another process has it."""
        now = self._clock.now()
        free = or_(lease.c.owner == self._owner, lease.c.until < now)
        mine = {"owner": self._owner, "until": now + duration}
        with self._database.write(everyone=True) as tx:
            if tx.execute(update(lease).where(lease.c.name == name, free).values(mine)).rowcount == 0:
                if tx.execute(select(lease.c.name).where(lease.c.name == name)).first() is not None:
                    return False
                try:
                    tx.execute(lease.insert().values(name=name, **mine))
                except IntegrityError:
                    # Another process was the first a moment ago.
                    return False
            tx.commit()
        return True

    def holder(self, name: str) -> str | None:
        """Who has it now."""
        query = select(lease.c.owner).where(lease.c.name == name, lease.c.until >= self._clock.now())
        with self._database.read(everyone=True) as connection:
            return connection.execute(query).scalar()

    def let_go(self, name: str) -> None:
        """Leave it to whoever asks next; nothing where it is not ours."""
        with self._database.write(everyone=True) as tx:
            tx.execute(delete(lease).where(lease.c.name == name, lease.c.owner == self._owner))
            tx.commit()
