"""An application as the dispatch loop needs it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.carriers.in_parts import MAX_NUMBERS as ONE_BY_ONE
from services.carriers.ports import Carrier
from services.rate import Rate

# Requests under way are what a stop cannot take back any more.
MOST_CONNECTIONS = 32
FEWEST_CONNECTIONS = 4
MOST_BATCHES_ONE_BY_ONE = 8


@dataclass(frozen=True, slots=True)
class Sender:
    """An application's carrier and rate. `connections` bounds its requests under way. `failover` is the application
    that takes what provably never left from here, or was refused because of the account.
    """

    application_id: int
    carrier: Carrier
    rate: Rate
    receipts_url: str | None
    connections: int = 8
    failover: int | None = None


def connections_for(carrier: Carrier, requests_per_second: float) -> int:
    """As many as keep this rate while an answer takes up to a second.

    Where a batch is many requests, as many batches as have enough to do within half of their time.
    """
    if carrier.max_numbers <= ONE_BY_ONE:
        return min(MOST_BATCHES_ONE_BY_ONE, math.ceil(requests_per_second / 10))
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, math.ceil(requests_per_second)))
