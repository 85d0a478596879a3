"""Whether this process is alive, and whether it can do its work: one verdict a part."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from bot.scheduler import TickAge
from services.database import Database, DatabaseUnavailable, SchemaMismatch

log = structlog.get_logger()

# A part that does not answer by then is not ready. Who asks often gets the last verdict.
ANSWER_SECONDS = 3.0
KEPT_SECONDS = 1.0
# A tick may wait for a storm of receipts or for Slack's limits; what is longer is stuck.
FEW_INTERVALS = 3
SHORTEST_STUCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one part; `why` says what is wrong, and holds nothing secret."""

    ok: bool
    why: str = ""


Part = Callable[[], Awaitable[Mapping[str, Verdict]]]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Of the whole."""

    parts: Mapping[str, Verdict]

    @property
    def ok(self) -> bool:
        """Every part is."""
        return all(verdict.ok for verdict in self.parts.values())

    def as_json(self) -> dict[str, object]:
        """What a probe reads."""
        parts = {name: {"ok": True} if each.ok else {"ok": False, "why": each.why} for name, each in self.parts.items()}
        return {"ready": self.ok, "parts": parts}


class Health:
    """Asks each part, all at once. A part that hangs is not asked again before it has answered."""

    def __init__(
        self,
        parts: Mapping[str, Part],
        monotonic: Callable[[], float] = time.monotonic,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._parts = parts
        self._answer_seconds = answer_seconds
        self._monotonic = monotonic
        self._asking: dict[str, asyncio.Task[Mapping[str, Verdict]]] = {}
        self._known: Readiness | None = None
        self._known_until = 0.0

    async def ready(self) -> Readiness:
        """At most a second old."""
        if self._known is not None and self._monotonic() < self._known_until:
            return self._known
        answers = await asyncio.gather(*(self._ask(name) for name in self._parts))
        found = Readiness({name: verdict for answer in answers for name, verdict in answer.items()})
        if not found.ok and (self._known is None or self._known.ok):
            log.warning("not_ready", parts={name: each.why for name, each in found.parts.items() if not each.ok})
        self._known, self._known_until = found, self._monotonic() + KEPT_SECONDS
        return found

    async def _ask(self, name: str) -> Mapping[str, Verdict]:
        asked = self._asking.get(name)
        if asked is None or asked.done():
            asked = self._asking[name] = asyncio.ensure_future(self._parts[name]())
        done, _ = await asyncio.wait({asked}, timeout=self._answer_seconds)
        if not done:
            return {name: Verdict(False, f"no answer in {self._answer_seconds:.0f} s")}
        if (trouble := asked.exception()) is not None:
            return {name: Verdict(False, type(trouble).__name__)}
        return asked.result()

    async def stop(self) -> None:
        """Ask no longer."""
        for asked in self._asking.values():
            asked.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)


def ticks_verdict(ages: Sequence[TickAge]) -> Verdict:
    """Each tick has ended well within its last few intervals."""
    if not ages:
        return Verdict(False, "not started")
    stuck = [
        f"{each.name} for {each.age_seconds:.0f} s"
        for each in ages
        if each.age_seconds > max(FEW_INTERVALS * each.every_seconds, SHORTEST_STUCK_SECONDS)
    ]
    return Verdict(not stuck, f"not ended well: {', '.join(stuck)}" if stuck else "")


def database_part(database: Database) -> Part:
    """The database answers, and its schema is this version's."""

    def look() -> Mapping[str, Verdict]:
        try:
            database.check_schema()
        except DatabaseUnavailable as error:
            # The driver's words name hosts, and whoever reaches this address may read the verdict.
            log.warning("database.unavailable", error=str(error))
            return {"database": Verdict(False, "it cannot be opened")}
        except SchemaMismatch as error:
            why = f"it is {error.found or 'missing'}, needed is {error.needed}"
            return {"database": Verdict(True), "schema": Verdict(False, why)}
        return {"database": Verdict(True), "schema": Verdict(True)}

    async def part() -> Mapping[str, Verdict]:
        return await asyncio.to_thread(look)

    return part
