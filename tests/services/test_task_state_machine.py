"""Whatever happens in whatever order: the counts add up, and nobody gets two, of whichever application."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from services.carriers.codes import ACCOUNT_WIDE
from services.carriers.ports import Answer, CutShort, Outcome, Receipt, Submission
from services.content import ApplicationDeclaration, TemplateDeclaration
from services.database import Database
from services.dispatch import LEASE_MARGIN, Claim
from services.errors import NotAllowed, NotTaken, RequestRefused
from services.failover import ATTEMPTS
from services.models import batch, opt_out, recipient, result
from services.previews import Preview
from services.rate import RateLimit
from services.senders import Sender
from services.states import Region, SmsType, Source, TaskState
from services.task_reports import Task
from tests.services.audiences import a_file, asked
from tests.services.audit import check_every_task
from tests.services.builders import (
    ANA,
    FIRST_NUMBER,
    MAINLAND,
    REQUEST_TIMEOUT,
    SALE,
    SIGNATURE,
    Marketing,
    numbers,
)
from tests.services.conftest import empty
from tests.services.fakes import (
    Answering,
    FakeCarrier,
    InlineExecutor,
    accept,
    crash,
    not_taken,
    refuse_whole,
    unanswered,
)

SIZES = {"one": 1, "few": 4, "more": 8}
MOVES = [timedelta(seconds=1), timedelta(seconds=6), timedelta(minutes=4), timedelta(minutes=16)]
MOVES += [timedelta(minutes=56), timedelta(hours=25)]

NAMED = TemplateDeclaration("named", "tpl-6", SmsType.PROMOTIONAL, "Dear {name}.", "Spring")
FIRST = replace(MAINLAND, templates=(*MAINLAND.templates, NAMED))
THEIR_SALE = TemplateDeclaration("sale", "their-2", SmsType.PROMOTIONAL, SALE.text, "Spring")
THEIR_NAMED = replace(NAMED, code="their-6")
SECOND = ApplicationDeclaration("second", "tencent", Region.MAINLAND, (SIGNATURE,), (THEIR_SALE, THEIR_NAMED))
CANNOT_TAKE_OVER = replace(
    SECOND, templates=(replace(THEIR_SALE, text="Nothing must go."), replace(THEIR_NAMED, text="Dearest {name}."))
)
FROZEN = "E000112"

Message = tuple[str | int, ...]
_AFTER = {"pause": TaskState.PAUSED, "resume": TaskState.SENDING}


class Request:
    """A request that waits for the machine to say what the carrier answers."""

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        self.answer: asyncio.Future[Answering] = asyncio.get_running_loop().create_future()

    async def __call__(self, submission: Submission) -> Answer:
        return await (await self.answer)(submission)


class Seen:
    """What reached either application's carrier: the requests that are open, and how often each number of each task,
    with what filled its text, may have been taken. `cut` is what is known of a request that is cut short; without it,
    it ends with its process.
    """

    def __init__(self) -> None:
        self.open: list[Request] = []
        self.taken: Counter[Message] = Counter()
        self.twice: list[Message] = []
        self.moved = 0
        self.cut: Answering | None = None
        self._last: dict[str, FakeCarrier] = {}

    def arrives(self, at: FakeCarrier, submission: Submission) -> Request:
        """The request is there, and all of it may be taken from now on."""
        request = Request(submission)
        self.open.append(request)
        keys = self._keys(submission, submission.numbers)
        self.taken.update(keys)
        self.twice += [key for key in keys if self.taken[key] > 1]
        self.moved += self._last.get(submission.reference, at) is not at
        self._last[submission.reference] = at
        return request

    def leave(self, submission: Submission, numbers: Iterable[int]) -> None:
        """These were not taken, so that they may come again."""
        self.taken.subtract(self._keys(submission, numbers))

    def _keys(self, submission: Submission, numbers: Iterable[int]) -> list[Message]:
        task = submission.reference.rsplit("-", 1)[0]
        return [(task, number, *submission.values_for(number)) for number in numbers]


class Watching(FakeCarrier):
    """Keeps requests open. Only what says of all numbers that they were not taken, or that the account cannot send,
    leaves them to be handed over again.
    """

    def __init__(self, seen: Seen) -> None:
        super().__init__(max_numbers=3)
        self.seen = seen

    async def submit(self, submission: Submission) -> Answer:
        request = self.seen.arrives(self, submission)
        try:
            answer = await request(submission)
        except NotTaken:
            self.seen.leave(submission, submission.numbers)
            raise
        except RequestRefused as refusal:
            if self.kind_of(refusal.code) in ACCOUNT_WIDE:
                self.seen.leave(submission, submission.numbers)
            raise
        except asyncio.CancelledError:
            if self.seen.cut is None:
                raise
            answer = await self.seen.cut(submission)
            self.seen.leave(submission, answer.not_taken)
            raise CutShort(answer) from None
        codes = [outcome.code for outcome in answer.outcomes.values() if not outcome.accepted]
        frozen = len(codes) == len(submission.numbers) and {self.kind_of(code) for code in codes} <= ACCOUNT_WIDE
        self.seen.leave(submission, submission.numbers if frozen else answer.not_taken)
        return answer


def sort_out(fates: Sequence[str]) -> Answering:
    """Each number has its own fate, in turn."""

    async def answer(submission: Submission) -> Answer:
        outcomes: dict[int, Outcome] = {}
        left: dict[int, NotTaken] = {}
        for index, number in enumerate(submission.numbers):
            match fates[index % len(fates)]:
                case "accepted":
                    outcomes[number] = Outcome(True, "000000", f"id-{number}")
                case "refused":
                    outcomes[number] = Outcome(False, "E200028")
                case "frozen":
                    outcomes[number] = Outcome(False, FROZEN)
                case "not taken":
                    left[number] = NotTaken("E200015", "slow down", 3.0)
        return Answer(outcomes, left)

    return answer


def as_a_carrier_says_it(fates: Sequence[str]) -> Answering:
    """The same, but that nothing was taken is raised."""

    async def answer(submission: Submission) -> Answer:
        said = await sort_out(fates)(submission)
        if len(said.not_taken) == len(submission.numbers):
            raise next(iter(said.not_taken.values()))
        return said

    return answer


ANSWERS = st.one_of(
    st.sampled_from([accept, accept, refuse_whole(), unanswered, crash, not_taken(), not_taken(retry_after_seconds=0)]),
    st.sampled_from([refuse_whole(FROZEN), refuse_whole(FROZEN), not_taken("connection_refused")]),
    st.lists(st.sampled_from(["accepted", "refused", "frozen", "not taken", "unknown"]), min_size=1, max_size=3).map(
        as_a_carrier_says_it
    ),
)
CANNOT_SEND = [[refuse_whole(FROZEN)], [not_taken("connection_refused")] * ATTEMPTS]
MAY_HAVE_SENT = [[unanswered], [as_a_carrier_says_it(["accepted", "frozen", "unknown"])]]
WHEN_CUT = st.lists(st.sampled_from(["accepted", "not taken", "unknown"]), min_size=1, max_size=3).map(sort_out)


class Life(RuleBasedStateMachine):
    """A workspace's tasks between people, the carriers of two applications, the clock and crashes."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        empty(self.database)
        self.seen = Seen()
        self.marketing = Marketing(self.database, carrier=Watching(self.seen), applications=(FIRST, SECOND))
        second_id = self.marketing.applications["second"].id
        self.second = Sender(second_id, Watching(self.seen), RateLimit(1_000_000), "https://sms.example.com/second")
        self.first = replace(self.marketing.sender, failover=second_id)
        for name, size in SIZES.items():
            self.marketing.a_group(name, numbers(size), SmsType.PROMOTIONAL)
        self.next_number = FIRST_NUMBER + max(SIZES.values())
        # One number stands there twice with the same values, and once more with others.
        people = [(0, "Ana"), (1, "Ben"), (0, "Ana"), (0, "Cy")]
        self.file = a_file(
            self.marketing,
            *((FIRST_NUMBER + place, f'{{"Name":"{name}"}}') for place, name in people),
            names='["Name"]',
        )
        self.opted_out: set[int] = set()
        self.drafts: list[Preview] = []
        self.tasks: list[Task] = []
        self.claims: list[Claim] = []
        self.references: list[tuple[str, int]] = []
        self.final: dict[tuple[int, int], str] = {}
        self.loop = asyncio.new_event_loop()
        self.running: list[asyncio.Task[None]] = []
        self._start()

    def _start(self) -> None:
        self.executor = InlineExecutor()
        self.dispatch = self.marketing.a_dispatch(self.first, self.second, executor=self.executor)

    async def _end(self) -> None:
        for each in self.running:
            each.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)

    def _spin(self) -> None:
        async def turns() -> None:
            for _ in range(8):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())
        over = [each for each in self.running if each.done()]
        self.running = [each for each in self.running if not each.done()]
        for each in over:
            each.result()

    @rule(
        groups=st.lists(st.sampled_from(list(SIZES)), min_size=1, max_size=2),
        later=st.booleans(),
        application=st.sampled_from(["promo-cn", "promo-cn", "second"]),
    )
    @precondition(lambda self: len(self.tasks) + len(self.drafts) < 5)
    def draft(self, groups: list[str], later: bool, application: str = "promo-cn") -> None:
        at = self.marketing.in_(timedelta(hours=1)) if later else None
        self._draft(groups=groups, template="sale", application=application, at=at)

    @rule(application=st.sampled_from(["promo-cn", "second"]))
    @precondition(lambda self: len(self.tasks) + len(self.drafts) < 5)
    def draft_from_a_file(self, application: str) -> None:
        self._draft(template="named", source=Source.FILE, import_id=self.file, application=application)

    def _draft(self, **wanted: Any) -> None:
        try:
            self.drafts.append(asked(self.marketing, **wanted))
        except NotAllowed as refused:
            # All of them have opted out.
            if refused.rule != "no_recipients":
                raise

    @initialize(
        later=st.sampled_from([False, False, True]),
        takes_over=st.sampled_from([True, True, True, False]),
        begins=st.sampled_from([*CANNOT_SEND, *MAY_HAVE_SENT, []]),
    )
    def one_is_there(self, later: bool, takes_over: bool, begins: Sequence[Answering]) -> None:
        if not takes_over:
            self.first = replace(self.first, failover=None)
            self._start()
        self.draft(["more"], later)
        self._confirm(self.drafts[0])
        self.the_first_is_in_trouble(begins)

    @rule(data=st.data())
    @precondition(lambda self: self.drafts)
    def confirm(self, data: st.DataObject) -> None:
        self._confirm(data.draw(st.sampled_from(self.drafts)))

    def _confirm(self, draft: Preview, *, is_fresh: bool = False) -> None:
        try:
            made = self.marketing.confirmations.confirm(self.marketing.workspace_id, draft.draft_id, ANA)
        except NotAllowed as refused:
            if refused.rule not in {"already_confirmed", "time_passed", "no_recipients"}:
                raise
            return
        if isinstance(made, Preview):
            assert not is_fresh, "nothing has happened since it was shown"
            self.drafts.append(made)
            if made.changed != ["hours"]:
                self._confirm(made, is_fresh=made.allowed_from is None)
            return
        assert draft.recipients == made.recipients
        self.tasks.append(made)
        with self.database.read(everyone=True) as connection:
            rows = connection.execute(select(batch).where(batch.c.task_id == made.id)).all()
            members = (
                connection.execute(select(recipient.c.number).where(recipient.c.task_id == made.id)).scalars().all()
            )
        self.references += [(row.reference, number) for row in rows for number in members]

    @rule(group=st.sampled_from(list(SIZES)))
    def somebody_joins(self, group: str) -> None:
        self.next_number += 1
        self.marketing.join(self.marketing.groups.find(self.marketing.workspace_id, group), [self.next_number])

    @rule(place=st.integers(0, max(SIZES.values()) - 1))
    def somebody_opts_out(self, place: int) -> None:
        number = FIRST_NUMBER + place
        if number not in self.opted_out:
            self.opted_out.add(number)
            with self.database.write(everyone=True) as tx:
                values = {"workspace_id": self.marketing.workspace_id, "number": number, "origin": "reply"}
                tx.execute(opt_out.insert().values(**values, at=self.marketing.clock.now()))
                tx.commit()

    @rule(by=st.sampled_from(MOVES))
    def time_passes(self, by: timedelta) -> None:
        self.marketing.clock.move(by)

    @rule()
    def start_due(self) -> None:
        self.marketing.tasks.start_due()

    @rule()
    def give_up_lost(self) -> None:
        self.dispatch.give_up_lost()

    @rule()
    @precondition(lambda self: self.seen.open)
    def a_worker_hangs(self) -> None:
        self.marketing.clock.move(REQUEST_TIMEOUT + LEASE_MARGIN + timedelta(seconds=1))
        self.dispatch.give_up_lost()

    @rule()
    def apply_receipts(self) -> None:
        self.marketing.receipts.apply()

    @rule()
    def want_results(self) -> None:
        self.marketing.posts.want_results()

    @rule(at_second=st.booleans())
    def claim(self, at_second: bool) -> None:
        claim = self.dispatch.claim(self.second if at_second else self.first)
        if claim is not None:
            self.claims.append(claim)

    @rule(data=st.data())
    @precondition(lambda self: self.claims)
    def begin(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        self.claims.remove(claim)
        self._begin(claim)

    @rule(at_second=st.booleans())
    def claim_and_begin(self, at_second: bool) -> None:
        claim = self.dispatch.claim(self.second if at_second else self.first)
        if claim is not None:
            self._begin(claim)

    def _begin(self, claim: Claim) -> None:
        again = [seq for seq in claim.seqs.values() if self.final.get((claim.task_id, seq)) == "refused"]
        assert again == [], "refused is refused"
        sender = self.first if claim.application_id == self.first.application_id else self.second
        self.running.append(self.loop.create_task(self.dispatch.send_batch(claim, sender)))
        self._spin()

    @rule(data=st.data(), answer=ANSWERS)
    @precondition(lambda self: self.seen.open)
    def answer(self, data: st.DataObject, answer: Answering) -> None:
        self._answer(data.draw(st.sampled_from(self.seen.open)), answer)

    def _answer(self, request: Request, answer: Answering) -> None:
        self.seen.open.remove(request)
        request.answer.set_result(answer)
        self._spin()

    @rule(answers=st.sampled_from([*CANNOT_SEND, *MAY_HAVE_SENT]))
    def the_first_is_in_trouble(self, answers: Sequence[Answering]) -> None:
        """At its next batch, as often as it takes for that to go elsewhere, if ever it may."""
        for answer in answers:
            before = list(self.seen.open)
            self.claim_and_begin(at_second=False)
            for request in [each for each in self.seen.open if each not in before]:
                self._answer(request, answer)
            self.marketing.clock.move(timedelta(minutes=1))

    @rule(can=st.booleans())
    def the_second_has_another_text(self, can: bool) -> None:
        self.marketing.declare(FIRST, SECOND if can else CANNOT_TAKE_OVER)

    @rule(
        data=st.data(), status=st.sampled_from(["delivered", "delivered", "failed", "pending"]), total=st.integers(1, 2)
    )
    @precondition(lambda self: self.references)
    def report(self, data: st.DataObject, status: Any, total: int) -> None:
        reference, number = data.draw(st.sampled_from(self.references))
        sender = data.draw(st.sampled_from([self.first, self.second]))
        receipt = Receipt(status, "X", f"id-{number}", reference, number, data.draw(st.integers(1, total)), total)
        self.marketing.receipts.store([(sender.application_id, receipt)])

    @rule(data=st.data(), action=st.sampled_from(["pause", "resume", "pause", "resume", "cancel", "stop"]))
    @precondition(lambda self: self.tasks)
    def press(self, data: st.DataObject, action: str) -> None:
        task = data.draw(st.sampled_from(self.tasks))
        try:
            getattr(self.marketing.tasks, action)(self.marketing.workspace_id, task.number, ANA)
        except NotAllowed:
            return
        now = self.marketing.task(task)
        assert now.state.is_over if action in ("cancel", "stop") else now.state is _AFTER[action]

    @rule(data=st.data())
    @precondition(lambda self: self.tasks)
    def delete(self, data: st.DataObject) -> None:
        task = self.marketing.task(data.draw(st.sampled_from(self.tasks)))
        allowed = task.state.is_over and not task.is_deleted
        with nullcontext() if allowed else pytest.raises(NotAllowed):
            self.marketing.changes.delete(self.marketing.workspace_id, task.number, ANA)
        now = self.marketing.task(task)
        assert now.is_deleted == (task.is_deleted or allowed)
        assert (now.recipients, now.handed_over, now.waiting) == (task.recipients, task.handed_over, task.waiting)

    @rule()
    def crash_and_restart(self) -> None:
        self.executor.kill()
        self.loop.run_until_complete(self._end())
        self.running, self.claims, self.seen.open = [], [], []
        self._start()
        self.dispatch.give_up_lost(own=True)

    @rule(known=WHEN_CUT)
    def stop_and_restart(self, known: Answering) -> None:
        """In time for what is known of the requests under way to be written."""
        self.seen.cut = known
        self.loop.run_until_complete(self._end())
        self.seen.cut = None
        self.crash_and_restart()

    @invariant()
    def the_counts_add_up(self) -> None:
        check_every_task(self.database)

    @invariant()
    def nobody_got_two(self) -> None:
        """What may have been taken stays counted as taken, so this also says that nothing unknown goes elsewhere."""
        assert self.seen.twice == []

    @invariant()
    def no_number_and_text_is_twice_in_a_task(self) -> None:
        twice = (
            select(recipient.c.task_id, recipient.c.number, recipient.c["values"])
            .group_by(recipient.c.task_id, recipient.c.number, recipient.c["values"])
            .having(func.count() > 1)
        )
        with self.database.read(everyone=True) as connection:
            assert connection.execute(twice).all() == []

    @invariant()
    def final_never_moves(self) -> None:
        with self.database.read(everyone=True) as connection:
            now = {(row.task_id, row.seq): row.state for row in connection.execute(select(result))}
        assert self.final.items() <= now.items()
        self.final = now

    @invariant()
    def what_was_confirmed_stays(self) -> None:
        for task in self.tasks:
            assert self.marketing.task(task).recipients == task.recipients

    def teardown(self) -> None:
        """After a last crash everything comes to its end by itself."""
        try:
            self.crash_and_restart()
            while claim := self._next_claim():
                self._begin(claim)
                self.answer_all()
            for now in map(self.marketing.task, self.tasks):
                waits = now.state in (TaskState.SCHEDULED, TaskState.PAUSED)
                assert waits or (now.state.is_over and now.waiting == 0), now
            self.apply_receipts()
            self.the_counts_add_up()
            self.nobody_got_two()
        finally:
            self.loop.close()

    def _next_claim(self) -> Claim | None:
        self.marketing.clock.move(timedelta(minutes=2))
        # In this order, because the second gives back what it can no longer send.
        return self.dispatch.claim(self.second) or self.dispatch.claim(self.first)

    def answer_all(self) -> None:
        for request in list(self.seen.open):
            self._answer(request, accept)


def life_on(database: Database) -> type[Life]:
    return type("OnOneKind", (Life,), {"database": database})


@pytest.mark.parametrize(
    ("begins", "moved"),
    [*((each, 1) for each in CANNOT_SEND), *((each, 0) for each in MAY_HAVE_SENT)],
    ids=["frozen", "away", "no answer", "no answer for one"],
)
def test_in_such_a_life_what_cannot_have_been_sent_really_moves_and_nothing_else(
    database: Database, begins: Sequence[Answering], moved: int
) -> None:
    life = life_on(database)()
    life.one_is_there(later=False, takes_over=True, begins=begins)
    life.claim_and_begin(at_second=True)
    assert life.seen.moved == moved
    life.answer_all()
    life.teardown()


@pytest.mark.parametrize(
    ("kind", "examples"), [pytest.param("sqlite", 30, id="sqlite"), pytest.param("postgresql", 8, id="postgresql")]
)
def test_whatever_happens_the_counts_add_up_and_nobody_gets_two(
    request: pytest.FixtureRequest, kind: str, examples: int
) -> None:
    run_state_machine_as_test(
        life_on(request.getfixturevalue(kind)),
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
