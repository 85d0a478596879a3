"""How commands, interactions and events reach the app; the two ways, sockets and HTTP, fill in the last step."""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.slack.core import Core

Kind = Literal["slash_commands", "interactive", "events_api"]
Failure = Literal["dispatch_failed", "operation_timeout"]


@dataclass(frozen=True)
class Answer:
    """The app's acknowledgement with what it said in it, or why there is none."""

    payload: dict[str, Any] | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class Attempt:
    """One try at an event: `number` 0 is the first; later ones say why they are made, in Slack's words."""

    number: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Undelivered:
    """Why an event was not acknowledged, and whether Slack tries again."""

    reason: str
    again: bool = True


class Delivery(ABC):
    """The way to the app. `events` is every event envelope ever sent, in order."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.events: list[dict[str, Any]] = []

    @property
    @abstractmethod
    def connected(self) -> bool:
        """True while the app can be reached."""

    @abstractmethod
    async def ask(self, kind: Kind, payload: dict[str, Any], *, accepts_payload: bool) -> Answer:
        """Hand over a command or interaction and wait for its acknowledgement, as long as Slack does."""

    @abstractmethod
    async def try_event(self, payload: dict[str, Any], attempt: Attempt) -> Undelivered | None:
        """Hand over an event once; None when it was acknowledged."""

    @abstractmethod
    async def start(self) -> None:
        """Begin to look for the app, where that is Slack's part."""

    @abstractmethod
    async def stop(self) -> None:
        """Let go of the app."""

    def tell(self, payload: dict[str, Any]) -> None:
        """Send an event in the background, again after each of the delays while it is not acknowledged."""
        self.events.append(payload)
        self.core.spawn(self._tell(payload))

    async def _tell(self, payload: dict[str, Any]) -> None:
        missed = await self.try_event(payload, Attempt())
        for number, delay in enumerate(self.core.timings.event_retries, start=1):
            if missed is None or not missed.again:
                return
            await asyncio.sleep(delay)
            missed = await self.try_event(payload, Attempt(number, missed.reason))
