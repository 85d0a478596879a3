"""A stop: nothing more is claimed, what is under way ends and is recorded, and nobody waits for a carrier's pause."""

import asyncio
import time

import structlog

from services.carriers.in_parts import InParts
from services.carriers.ports import Answer, Submission
from services.database import Database
from services.dispatch import Dispatch
from services.states import TaskState
from tests.services.audit import check_every_task
from tests.services.builders import Marketing, numbers
from tests.services.fakes import FakeCarrier, Held, accept, accepted, not_taken


async def test_a_stop_ends_what_is_under_way_and_begins_nothing_more(sqlite: Database) -> None:
    marketing = Marketing(sqlite)
    task = marketing.a_confirmed_task(2_000)
    held = Held()
    marketing.carrier.will(held)
    dispatch = marketing.a_dispatch()
    running = asyncio.create_task(dispatch.run())
    await held.arrived.wait()
    dispatch.stop()
    held.release()
    await asyncio.wait_for(running, 5)
    now = marketing.task(task)
    assert (now.accepted, now.waiting) == (200, 1_800)
    assert len(marketing.carrier.requests) == 1


async def test_a_stop_does_not_wait_for_the_pause_a_carrier_asked_for(sqlite: Database) -> None:
    marketing = Marketing(sqlite)
    marketing.a_confirmed_task(2_000)
    marketing.carrier.will(not_taken(retry_after_seconds=3_600))
    dispatch = marketing.a_dispatch(marketing.a_sender(connections=3))
    running = asyncio.create_task(dispatch.run())
    await asyncio.sleep(0.2)
    began = time.monotonic()
    dispatch.stop()
    await asyncio.wait_for(running, 5)
    assert time.monotonic() - began < 1


async def test_a_request_cut_short_is_unknown_and_nothing_of_it_is_sent_again(sqlite: Database) -> None:
    marketing = Marketing(sqlite)
    task = marketing.a_confirmed_task(150)
    held = Held()
    marketing.carrier.will(held)
    dispatch = marketing.a_dispatch()
    running = asyncio.create_task(dispatch.run())
    await held.arrived.wait()
    dispatch.stop()
    running.cancel()
    await asyncio.wait({running}, timeout=5)
    now = marketing.task(task)
    assert (now.handed_over, now.unknown, now.waiting) == (150, 150, 0)


class OneByOne(FakeCarrier):
    """Takes one number a request, three at once; answers until it has `answered` so many, and then no more."""

    def __init__(self, answered: int) -> None:
        super().__init__(max_numbers=50)
        self.answered = answered
        self.asked: list[int] = []
        self.stuck = asyncio.Event()
        self._in_parts = InParts(self._at_once, at_once=3)

    async def _at_once(self) -> None:
        """No rate to keep."""

    async def submit(self, submission: Submission) -> Answer:
        return await self._in_parts.submit_each(submission.numbers, self._send)

    async def _send(self, number: int) -> Answer:
        self.asked.append(number)
        if len(self.asked) <= self.answered:
            return Answer({number: accepted(number)})
        if len(self.asked) == self.answered + 3:
            self.stuck.set()
        await asyncio.Event().wait()
        raise AssertionError


async def until_it_is_stuck(marketing: Marketing, carrier: OneByOne) -> tuple[Dispatch, asyncio.Task[None]]:
    dispatch = marketing.a_dispatch(marketing.a_sender(carrier=carrier))
    running = asyncio.create_task(dispatch.run())
    await carrier.stuck.wait()
    return dispatch, running


async def cut_short(dispatch: Dispatch, running: asyncio.Task[None]) -> None:
    """The process was asked to stop, and waits no longer for what is under way."""
    dispatch.stop()
    running.cancel()
    await asyncio.wait({running}, timeout=5)


async def test_of_a_batch_of_many_requests_only_those_under_way_are_unknown_when_cut_short(database: Database) -> None:
    marketing, carrier = Marketing(database), OneByOne(answered=10)
    task = marketing.a_confirmed_task(50)
    await cut_short(*await until_it_is_stuck(marketing, carrier))
    now = marketing.task(task)
    assert (now.accepted, now.handed_over, now.waiting, now.trouble) == (10, 13, 37, None)
    check_every_task(database)
    after_a_restart = marketing.a_dispatch()
    assert after_a_restart.give_up_lost(own=True) == 0
    await marketing.send_all(after_a_restart)
    assert carrier.asked + marketing.carrier.numbers == numbers(50), "everybody once"
    now = marketing.task(task)
    assert (now.state, now.accepted, now.handed_over) == (TaskState.FINISHED, 47, 50)
    check_every_task(database)


async def test_stopped_and_cut_short_what_was_not_begun_is_held_back(database: Database) -> None:
    marketing, carrier = Marketing(database), OneByOne(answered=0)
    task = marketing.a_confirmed_task(50)
    under_way = await until_it_is_stuck(marketing, carrier)
    assert marketing.tasks.stop(marketing.workspace_id, task.number, "U0BEN").in_flight == 50
    await cut_short(*under_way)
    now = marketing.task(task)
    assert (now.state, now.unknown, now.held_back, now.waiting) == (TaskState.STOPPED, 3, 47, 0)
    check_every_task(database)


async def test_what_is_logged_for_a_batch_bears_its_task_and_its_number(sqlite: Database) -> None:
    marketing = Marketing(sqlite)
    task = marketing.a_confirmed_task(150)
    seen: list[dict[str, object]] = []

    async def look(submission: Submission) -> Answer:
        seen.append(dict(structlog.contextvars.get_contextvars()))
        return await accept(submission)

    marketing.carrier.will(look)
    await marketing.send_next(marketing.a_dispatch())
    assert seen == [{"task": task.id, "batch": 1}]
    assert structlog.contextvars.get_contextvars() == {}
