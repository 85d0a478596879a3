"""A stop: nothing more is claimed, what is under way ends and is recorded, and nobody waits for a carrier's pause."""

import asyncio
import time

import structlog

from services.carriers.ports import Answer, Submission
from services.database import Database
from tests.services.builders import Marketing
from tests.services.fakes import Held, accept, not_taken


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
