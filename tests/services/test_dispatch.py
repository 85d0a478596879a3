"""Claim and commit, then submit, then record: never twice, never lost."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from services.carriers.ports import Answer, Outcome, Receipt, Submission
from services.database import Database
from services.dispatch import LEASE_MARGIN, Claim, Dispatch
from services.models import batch, result, submission
from services.pool import Fate
from services.states import TaskState
from services.task_messages import MessagePlace, TaskMessages
from services.task_reports import Task
from tests.services.audit import check_every_task, check_nobody_got_two
from tests.services.builders import ANA, FIRST_NUMBER, REQUEST_TIMEOUT, Marketing, numbers
from tests.services.fakes import (
    Answering,
    FakeCarrier,
    Held,
    InlineExecutor,
    accept,
    crash,
    leave_out,
    not_taken,
    refuse,
    refuse_whole,
    unanswered,
)

SECOND = timedelta(seconds=1)
LEASE = REQUEST_TIMEOUT + LEASE_MARGIN


def batches(marketing: Marketing, task: Task) -> list[str]:
    """The state of each batch."""
    with marketing.database.read() as connection:
        query = select(batch.c.state).where(batch.c.task_id == task.id).order_by(batch.c.no)
        return list(connection.execute(query).scalars())


def outcomes(marketing: Marketing, task: Task) -> dict[int, str]:
    """Each sequence number with what the carrier answered."""
    with marketing.database.read() as connection:
        rows = connection.execute(select(submission).where(submission.c.task_id == task.id))
        return {row.seq: row.outcome for row in rows}


def the(claim: Claim | None) -> Claim:
    assert claim is not None
    return claim


class TestHandingOver:
    """What one batch goes through."""

    async def test_a_request_holds_what_was_confirmed(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        await marketing.send_all()
        (request,) = marketing.carrier.requests
        assert request.numbers == numbers(3)
        assert (request.text, request.sender) == ("【Spring】We open at nine.", "1069000001")
        assert (request.template_code, request.signature) == ("tpl-1", None)
        assert request.receipts_url == "https://sms.example.com/receipts"

    async def test_a_universal_templates_signature_goes_into_the_request(self, marketing: Marketing) -> None:
        marketing.a_group("vip", numbers(3))
        marketing.confirmed(marketing.a_draft(template="hello"))
        await marketing.send_all()
        (request,) = marketing.carrier.requests
        assert (request.text, request.signature) == ("【Spring】Hello.", "Spring")

    async def test_a_batch_is_committed_as_sending_before_its_request_leaves(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        seen: list[list[str]] = []
        marketing.carrier.before_each = lambda request: seen.append(batches(marketing, task))
        await marketing.send_all()
        assert seen == [["sending"]]
        assert batches(marketing, task) == ["done"]

    async def test_no_transaction_is_open_during_a_request(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        open_connections: list[int] = []
        pool: Any = marketing.database.engine.pool
        marketing.carrier.before_each = lambda request: open_connections.append(pool.checkedout())
        await marketing.send_all()
        assert open_connections == [0]

    async def test_the_whole_task_is_sent_and_finished(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1700)
        marketing.clock.move(SECOND)
        await marketing.send_all()
        assert marketing.carrier.numbers == numbers(1700)
        assert [len(request.numbers) for request in marketing.carrier.requests] == [200, 500, 500, 500]
        assert len({request.reference for request in marketing.carrier.requests}) == 4
        ended = marketing.task(task)
        assert (ended.state, ended.accepted, ended.unknown, ended.waiting) == (TaskState.FINISHED, 1700, 1700, 0)
        assert (ended.finished_at, ended.took) == (marketing.clock.now(), SECOND)
        check_every_task(marketing.database)

    async def test_the_first_batch_goes_alone(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(1700)
        dispatch = marketing.a_dispatch()
        first = the(dispatch.claim(marketing.sender))
        assert first.size == 200
        assert dispatch.claim(marketing.sender) is None
        await dispatch.send_batch(first, marketing.sender)
        assert the(dispatch.claim(marketing.sender)).size == 500
        assert the(dispatch.claim(marketing.sender)).size == 500

    async def test_a_small_task_is_not_stuck_behind_a_huge_one(self, marketing: Marketing) -> None:
        huge = marketing.a_confirmed_task(3000, group="huge")
        dispatch = marketing.a_dispatch()
        for _ in range(3):
            await marketing.send_next(dispatch)
        small = marketing.a_confirmed_task(600, group="small", first=FIRST_NUMBER + 10_000)
        claims = [the(await marketing.send_next(dispatch)) for _ in range(3)]
        assert [(claim.task_id, claim.no) for claim in claims] == [(small.id, 1), (small.id, 2), (huge.id, 4)]

    async def test_one_application_does_not_send_anothers(self, marketing: Marketing) -> None:
        other = Marketing(marketing.database, workspace_id="T0OTHER")
        mine = marketing.a_confirmed_task(3)
        other.a_confirmed_task(5)
        await marketing.send_all()
        assert marketing.carrier.numbers == numbers(3)
        assert other.carrier.numbers == []
        assert marketing.task(mine).state is TaskState.FINISHED


ANSWERS: list[Any] = [
    pytest.param(accept, ("done", 3, 0, 3), id="all accepted"),
    pytest.param(refuse(FIRST_NUMBER), ("done", 2, 1, 2), id="one refused"),
    pytest.param(refuse(*numbers(3)), ("done", 0, 3, 0), id="all refused"),
    pytest.param(refuse_whole(), ("done", 0, 3, 0), id="the request refused"),
    pytest.param(leave_out(FIRST_NUMBER), ("unknown", 2, 0, 3), id="one left out"),
    pytest.param(unanswered, ("unknown", 0, 0, 3), id="no answer"),
    pytest.param(crash, ("unknown", 0, 0, 3), id="a defect of ours"),
]


@pytest.mark.parametrize(("answer", "becomes"), ANSWERS)
async def test_what_becomes_of_a_batch(
    marketing: Marketing, answer: Answering, becomes: tuple[str, int, int, int]
) -> None:
    task = marketing.a_confirmed_task(3)
    marketing.carrier.will(answer)
    await marketing.send_all()
    now = marketing.task(task)
    assert (*batches(marketing, task), now.accepted, now.refused, now.unknown) == becomes
    assert (now.state, now.handed_over, now.trouble) == (TaskState.FINISHED, 3, None)
    assert len(marketing.carrier.requests) == 1
    check_every_task(marketing.database)


class TestRefusals:
    """Refused is final, and listed with the carrier's word."""

    async def test_refused_numbers_are_listed(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        marketing.carrier.will(refuse(FIRST_NUMBER + 2, FIRST_NUMBER, code="E200028"))
        await marketing.send_all()
        page = TaskMessages(marketing.database).page(task, MessagePlace(), 10)
        assert [(each.number, each.fate, each.code) for each in page.messages] == [
            (FIRST_NUMBER, Fate.REFUSED, "E200028"),
            (FIRST_NUMBER + 1, Fate.ACCEPTED, "000000"),
            (FIRST_NUMBER + 2, Fate.REFUSED, "E200028"),
        ]
        assert marketing.task(task).not_delivered == 2

    async def test_a_refused_request_gives_its_code_to_every_number(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        marketing.carrier.will(refuse_whole("E000510"))
        await marketing.send_all()
        page = TaskMessages(marketing.database).page(task, MessagePlace(), 10)
        assert {(each.fate, each.code) for each in page.messages} == {(Fate.REFUSED, "E000510")}

    async def test_the_answer_for_a_stranger_is_ignored(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        marketing.carrier.will(refuse(FIRST_NUMBER + 999))
        await marketing.send_all()
        assert outcomes(marketing, task) == dict.fromkeys((1, 2, 3), "accepted")


class TestNotTaken:
    """Only what provably had no effect is sent again, and later."""

    async def test_it_waits_as_long_as_the_carrier_asks(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        marketing.carrier.will(not_taken("http_429", retry_after_seconds=7))
        dispatch = marketing.a_dispatch()
        await marketing.send_all(dispatch)
        waiting = marketing.task(task)
        assert (waiting.state, waiting.waiting, waiting.trouble) == (TaskState.SENDING, 3, "http_429")
        check_every_task(marketing.database)
        marketing.clock.move(timedelta(seconds=6.9))
        assert dispatch.claim(marketing.sender) is None
        marketing.clock.move(timedelta(seconds=0.1))
        await marketing.send_all(dispatch)
        ended = marketing.task(task)
        assert (ended.state, ended.accepted, ended.trouble) == (TaskState.FINISHED, 3, None)
        check_nobody_got_two(marketing.carrier.requests)

    async def test_it_waits_longer_each_time_up_to_a_minute(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        dispatch = marketing.a_dispatch()
        waits = []
        for _ in range(9):
            marketing.carrier.will(not_taken("refused_connection"))
            await marketing.send_all(dispatch)
            waited = 0
            while (claim := dispatch.claim(marketing.sender)) is None:
                marketing.clock.move(SECOND)
                waited += 1
            marketing.carrier.will(not_taken("refused_connection"))
            await dispatch.send_batch(claim, marketing.sender)
            marketing.clock.move(timedelta(minutes=2))
            waits.append(waited)
        assert waits[0] == 1
        assert waits == sorted(waits)
        assert waits[-1] == 60

    async def test_the_batches_after_it_wait_for_a_first_one(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(700)
        marketing.carrier.will(not_taken())
        dispatch = marketing.a_dispatch()
        await marketing.send_next(dispatch)
        assert dispatch.claim(marketing.sender) is None

    async def test_the_same_reference_is_used_again(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        marketing.carrier.will(not_taken(retry_after_seconds=0))
        seen: list[str] = []
        marketing.carrier.before_each = lambda request: seen.append(request.reference)
        await marketing.send_all()
        assert len(seen) == 2
        assert len(set(seen)) == 1


class TestLateAndLost:
    """A worker that is gone leaves unknown messages, which nobody sends again; a late answer still counts."""

    async def test_an_unanswered_batch_is_never_sent_again(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        marketing.carrier.will(unanswered)
        dispatch = marketing.a_dispatch()
        await marketing.send_all(dispatch)
        marketing.clock.move(timedelta(days=2))
        dispatch.give_up_lost()
        dispatch.give_up_lost(own=True)
        await marketing.send_all(dispatch)
        await marketing.send_all(marketing.a_dispatch(owner="another"))
        assert len(marketing.carrier.requests) == 1

    def test_a_lease_that_ran_out_makes_a_batch_unknown(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        the(marketing.a_dispatch().claim(marketing.sender))
        other = marketing.a_dispatch(owner="another")
        marketing.clock.move(LEASE)
        assert other.give_up_lost() == 0
        marketing.clock.move(timedelta(milliseconds=1))
        assert other.give_up_lost() == 1
        assert other.give_up_lost() == 0
        now = marketing.task(task)
        assert (now.state, now.unknown, now.accepted) == (TaskState.FINISHED, 3, 0)
        assert batches(marketing, task) == ["unknown"]
        check_every_task(marketing.database)

    async def test_a_restart_takes_its_own_batches_back_as_unknown_and_goes_on(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(700)
        the(marketing.a_dispatch(owner="embedded").claim(marketing.sender))
        again = marketing.a_dispatch(owner="embedded")
        assert again.give_up_lost(own=True) == 1
        await marketing.send_all(again)
        now = marketing.task(task)
        assert (now.state, now.accepted, now.unknown) == (TaskState.FINISHED, 500, 700)
        assert marketing.carrier.numbers == numbers(500, FIRST_NUMBER + 200)
        check_every_task(marketing.database)

    def test_a_restart_leaves_others_batches_alone(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(3)
        the(marketing.a_dispatch(owner="one").claim(marketing.sender))
        assert marketing.a_dispatch(owner="two").give_up_lost(own=True) == 0

    async def test_a_worker_whose_lease_is_too_short_gives_the_batch_up_unsent(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        dispatch = marketing.a_dispatch()
        claim = the(dispatch.claim(marketing.sender))
        marketing.clock.move(LEASE_MARGIN + timedelta(milliseconds=1))
        await dispatch.send_batch(claim, marketing.sender)
        assert marketing.carrier.requests == []
        assert batches(marketing, task) == ["planned"]
        await marketing.send_all(dispatch)
        assert marketing.task(task).accepted == 3

    @pytest.mark.parametrize(
        ("answer", "becomes"),
        [
            pytest.param(accept, (3, 0, 3), id="accepted"),
            pytest.param(refuse(FIRST_NUMBER), (2, 1, 2), id="one refused"),
            pytest.param(refuse_whole(), (0, 3, 0), id="refused"),
            pytest.param(unanswered, (0, 0, 3), id="no answer"),
            pytest.param(not_taken(), (0, 0, 3), id="not taken"),
        ],
    )
    async def test_a_late_answer_is_recorded_and_nothing_is_sent_again(
        self, marketing: Marketing, answer: Answering, becomes: tuple[int, int, int]
    ) -> None:
        task = marketing.a_confirmed_task(3)
        held = Held(then=answer)
        marketing.carrier.will(held)
        dispatch, other = marketing.a_dispatch(owner="one"), marketing.a_dispatch(owner="two")
        sending = asyncio.create_task(marketing.send_next(dispatch))
        await held.arrived.wait()
        marketing.clock.move(timedelta(minutes=1))
        assert other.give_up_lost() == 1
        held.release()
        await sending
        await marketing.send_all(other)
        now = marketing.task(task)
        assert (now.accepted, now.refused, now.unknown, now.handed_over) == (*becomes, 3)
        assert batches(marketing, task) == ["unknown"]
        check_every_task(marketing.database)

    async def test_recording_twice_counts_once(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        dispatch = marketing.a_dispatch()
        claim = the(dispatch.claim(marketing.sender))
        answer: Mapping[int, Outcome] = (await accept(claim.submission)).outcomes
        dispatch.record(claim, answer)
        dispatch.record(claim, answer)
        assert marketing.task(task).accepted == 3
        check_every_task(marketing.database)

    async def test_an_earlier_outcome_is_not_sent_again(self, marketing: Marketing) -> None:
        """A batch given back with some outcomes, as carriers that take a number a request leave it."""
        task = marketing.a_confirmed_task(3)
        dispatch = marketing.a_dispatch()
        claim = the(dispatch.claim(marketing.sender))
        with marketing.database.write() as tx:
            tx.execute(
                submission.insert().values(
                    task_id=task.id, seq=2, outcome="accepted", code="0", at=marketing.clock.now()
                )
            )
            tx.commit()
        dispatch.give_back(claim, "http_429", timedelta(0))
        again = the(dispatch.claim(marketing.sender))
        assert again.submission.numbers == [FIRST_NUMBER, FIRST_NUMBER + 2]


class TestTheLoop:
    """`run()`: bounded requests at a time, awake at once, ending gently."""

    async def test_it_sends_everything_and_ends_when_told(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(2700)
        await run_until_over(marketing, marketing.a_dispatch(marketing.a_sender(connections=4)), task)
        assert sorted(marketing.carrier.numbers) == numbers(2700)
        assert len(marketing.carrier.requests[0].numbers) == 200
        check_every_task(marketing.database)

    async def test_the_first_batch_is_alone_among_many_connections(self, marketing: Marketing) -> None:
        marketing.a_confirmed_task(2700)
        held = Held()
        marketing.carrier.will(held)
        dispatch = marketing.a_dispatch(marketing.a_sender(connections=4))
        running = asyncio.create_task(dispatch.run())
        await held.arrived.wait()
        await asyncio.sleep(0.05)
        assert len(marketing.carrier.requests) == 1
        held.release()
        await until(lambda: len(marketing.carrier.requests) == 6)
        dispatch.stop()
        await running

    async def test_a_gentle_end_waits_for_the_requests_under_way(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(700)
        held = Held()
        marketing.carrier.will(held)
        dispatch = marketing.a_dispatch()
        running = asyncio.create_task(dispatch.run())
        await held.arrived.wait()
        dispatch.stop()
        await asyncio.sleep(0.02)
        assert not running.done()
        held.release()
        await running
        now = marketing.task(task)
        assert (now.accepted, now.waiting) == (200, 500)
        check_every_task(marketing.database)

    async def test_a_rough_end_leaves_the_request_under_way_unknown_at_once(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        held = Held()
        marketing.carrier.will(held)
        running = asyncio.create_task(marketing.a_dispatch().run())
        await held.arrived.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert batches(marketing, task) == ["unknown"]
        assert marketing.task(task).unknown == 3
        check_every_task(marketing.database)

    async def test_an_answer_that_is_there_is_recorded_through_a_rough_end(self, marketing: Marketing) -> None:
        """The loop is cancelled while the outcome is being written by a busy thread."""
        task = marketing.a_confirmed_task(3)
        with ThreadPoolExecutor(1) as executor:
            dispatch = marketing.a_dispatch(executor=executor)
            running = asyncio.create_task(dispatch.run())
            busy = asyncio.Event()
            loop = asyncio.get_running_loop()

            def keep_busy(_request: Submission) -> None:
                executor.submit(loop.call_soon_threadsafe, busy.set)
                executor.submit(time.sleep, 0.1)

            marketing.carrier.before_each = keep_busy
            await busy.wait()
            await asyncio.sleep(0.01)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert outcomes(marketing, task) == dict.fromkeys((1, 2, 3), "accepted")
        check_every_task(marketing.database)

    async def test_a_batch_claimed_for_somebody_who_is_gone_goes_back(self, marketing: Marketing) -> None:
        """The loop is cancelled while a busy thread is about to claim."""
        task = marketing.a_confirmed_task(3)
        with ThreadPoolExecutor(1) as executor:
            executor.submit(time.sleep, 0.1)
            running = asyncio.create_task(marketing.a_dispatch(executor=executor).run())
            await asyncio.sleep(0.03)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        assert (batches(marketing, task), marketing.carrier.requests) == (["planned"], [])
        await marketing.send_all()
        assert marketing.task(task).accepted == 3
        check_every_task(marketing.database)

    async def test_one_broken_batch_does_not_end_the_sending(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(1700)
        marketing.carrier.will(accept, crash)
        await run_until_over(marketing, marketing.a_dispatch(marketing.a_sender(connections=2)), task)
        now = marketing.task(task)
        assert (now.accepted, now.unknown) == (1200, 1700)
        check_every_task(marketing.database)

    async def test_a_database_away_for_a_moment_costs_no_outcome(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        executor = AwayFor(3, when=an_outcome_is_written)
        await run_until_over(marketing, marketing.a_dispatch(executor=executor), task)
        assert executor.failures == 0
        assert marketing.task(task).accepted == 3

    async def test_what_is_wrong_with_one_outcome_does_not_cost_the_others_theirs(self, marketing: Marketing) -> None:
        """They are written together, and then each by itself."""
        task = marketing.a_confirmed_task(1700)
        held = [Held(), Held(then=accept_without_codes), Held()]
        marketing.carrier.will(accept, *held)
        dispatch = marketing.a_dispatch(marketing.a_sender(connections=3))
        running = asyncio.create_task(dispatch.run())
        await asyncio.gather(*(each.arrived.wait() for each in held))
        for each in held:
            each.release()
        await until(lambda: marketing.task(task).accepted == 1200)
        dispatch.stop()
        await running
        assert batches(marketing, task) == ["done", "done", "sending", "done"]
        marketing.clock.move(LEASE + SECOND)
        dispatch.give_up_lost()
        assert marketing.task(task).unknown == 1700
        check_every_task(marketing.database)

    async def test_a_database_away_while_looking_does_not_end_the_sending(self, marketing: Marketing) -> None:
        task = marketing.a_confirmed_task(3)
        executor = AwayFor(1, when=a_batch_is_looked_for)
        await run_until_over(marketing, marketing.a_dispatch(executor=executor), task)
        assert executor.failures == 0
        assert marketing.task(task).accepted == 3

    async def test_waking_makes_it_look_at_once(self, marketing: Marketing) -> None:
        dispatch = marketing.a_dispatch()
        running = asyncio.create_task(dispatch.run())
        await asyncio.sleep(0.02)
        marketing.a_confirmed_task(3)
        started = asyncio.get_running_loop().time()
        dispatch.wake()
        await until(lambda: bool(marketing.carrier.requests))
        assert asyncio.get_running_loop().time() - started < 0.3
        dispatch.stop()
        await running


async def test_a_stop_in_the_middle_holds_the_rest_back(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(5000)
    sender = marketing.a_sender(connections=3)
    dispatch = marketing.a_dispatch(sender)
    running = asyncio.create_task(dispatch.run())
    await until(lambda: len(marketing.carrier.requests) >= 4)
    stopped = marketing.tasks.stop(marketing.workspace_id, task.number, ANA)
    reached = len(marketing.carrier.numbers)
    assert stopped.handed_over + stopped.in_flight + stopped.held_back == 5000
    assert reached <= stopped.handed_over + stopped.in_flight
    dispatch.stop()
    await running
    now = marketing.task(task)
    assert (now.state, now.held_back, now.waiting) == (TaskState.STOPPED, stopped.held_back, 0)
    assert len(marketing.carrier.numbers) == now.handed_over == stopped.handed_over + stopped.in_flight
    check_every_task(marketing.database)


async def accept_without_codes(request: Submission) -> Answer:
    """What no table takes: a defect in a carrier's module."""
    nothing: Any = None
    return Answer({number: Outcome(True, nothing) for number in request.numbers})


async def slowly(request: Submission) -> Answer:
    await asyncio.sleep(0.01)
    return await accept(request)


async def test_workers_side_by_side_never_claim_the_same_batch(database: Database) -> None:
    marketing = Marketing(database, carrier=FakeCarrier(max_numbers=10))
    task = marketing.a_confirmed_task(5000)
    marketing.carrier.will(*[slowly] * 501)
    with ThreadPoolExecutor(8) as executor:
        workers = [
            marketing.a_dispatch(marketing.a_sender(connections=4), owner=owner, executor=executor)
            for owner in ("one", "two", "three")
        ]
        await run_until_over(marketing, workers[0], task, *workers[1:])
    assert sorted(marketing.carrier.numbers) == numbers(5000)
    check_nobody_got_two(marketing.carrier.requests)
    with database.read() as connection:
        owners = set(connection.execute(select(batch.c.owner)).scalars())
    assert owners == {"one", "two", "three"}
    check_every_task(database)


async def test_answers_and_receipts_at_the_same_moment_do_not_wait_for_each_other(database: Database) -> None:
    """The carrier refuses and reports the same numbers: both want to write their result."""
    marketing = Marketing(database, carrier=FakeCarrier(max_numbers=50))
    task = marketing.a_confirmed_task(2000)
    sender = marketing.a_sender(connections=4)

    async def refuse_and_report(request: Submission) -> Any:
        reports = [
            (sender.application_id, Receipt("delivered", "DELIVRD", f"id-{each}", request.reference, each))
            for each in request.numbers
        ]
        await asyncio.to_thread(marketing.receipts.store, reports)
        return await refuse(*request.numbers[::2])(request)

    marketing.carrier.will(*[refuse_and_report] * 41)
    with ThreadPoolExecutor(4) as executor:
        dispatch = marketing.a_dispatch(sender, executor=executor)
        over = asyncio.Event()

        async def tick() -> None:
            while not over.is_set():
                await asyncio.to_thread(marketing.receipts.apply)

        ticking = asyncio.create_task(tick())
        await run_until_over(marketing, dispatch, task)
        over.set()
        await ticking
    while marketing.receipts.apply():
        pass
    now = marketing.task(task)
    assert (now.unknown, now.refused, now.delivered) == (0, 1000, 1000)
    with database.read() as connection:
        assert len(connection.execute(select(result)).all()) == 2000
    check_every_task(database)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a loop under test brings about."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - rows and logs set no event
            await asyncio.sleep(0.002)


async def run_until_over(marketing: Marketing, dispatch: Dispatch, task: Task, *others: Dispatch) -> None:
    """Let the workers run until the task is over, then end them gently."""
    running = [asyncio.create_task(each.run()) for each in (dispatch, *others)]
    await until(lambda: marketing.task(task).state.is_over)
    for each in (dispatch, *others):
        each.stop()
    await asyncio.gather(*running)


def an_outcome_is_written(function: Any, arguments: tuple[Any, ...]) -> bool:
    return function.__name__ == "_write" or (function.__name__ == "_commit" and bool(arguments[0]))


def a_batch_is_looked_for(function: Any, arguments: tuple[Any, ...]) -> bool:
    return function.__name__ == "_commit" and not arguments[0]


class AwayFor(InlineExecutor):
    """The database does not answer the first calls of a kind."""

    def __init__(self, failures: int, *, when: Callable[[Any, tuple[Any, ...]], bool]) -> None:
        super().__init__()
        self.failures = failures
        self._when = when

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        if self.failures and self._when(function, arguments):
            self.failures -= 1
            away: Future[Any] = Future()
            away.set_exception(OperationalError("SELECT 1", None, Exception("server closed the connection")))
            return away
        return super().submit(function, *arguments, **named)
