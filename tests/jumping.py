"""A loop whose time jumps to its next timer, so that an hour of waiting takes no time."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

from services.rate import Rate


class Jumping(selectors.SelectSelector):
    """Never waits: what it would have waited is added to `now`."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its time is its selector's."""

    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def play(scene: Callable[[Callable[[], float]], Coroutine[Any, Any, None]]) -> None:
    """Run a scene, given the clock it runs by."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(scene(runner.get_loop().time))


async def take(rate: Rate, now: Callable[[], float], count: int, workers: int = 1) -> list[float]:
    """The moments at which turns are taken, by several workers at once."""
    taken: list[float] = []

    async def work() -> None:
        while len(taken) < count:
            await rate.acquire()
            taken.append(now())

    await asyncio.gather(*(work() for _ in range(workers)))
    return taken
