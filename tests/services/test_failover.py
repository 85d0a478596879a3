"""A second application takes over what provably never left from the first, and never anything else."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from services.carriers.ports import Receipt
from services.content import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.dispatch import Dispatch, Sender
from services.models import batch
from services.rate import RateLimit
from services.states import Region, SmsType, TaskState
from services.task_reports import Task
from tests.services.audit import check_every_task
from tests.services.builders import CODE, FIRST_NUMBER, MAINLAND, SIGNATURE, SPRING, WORKSPACE, Marketing, numbers
from tests.services.builders import UNIVERSAL as UNIVERSAL_HELLO
from tests.services.fakes import (
    Answering,
    FakeCarrier,
    accept,
    error_page,
    leave_out,
    not_taken,
    refuse_all,
    refuse_whole,
    unanswered,
)
from tests.services.test_partly_taken import take

THEIR_SIGNATURE = SignatureDeclaration("Spring", "1069000002")
THEIR_SPRING = TemplateDeclaration("spring", "their-1", SmsType.NOTIFICATION, SPRING.text, "Spring")
SECOND = ApplicationDeclaration("second", "tencent", Region.MAINLAND, (THEIR_SIGNATURE,), (THEIR_SPRING,))
FROZEN = refuse_whole("E000112")


class Pair:
    """Two applications, of which the second takes over from the first."""

    def __init__(self, database: Database, second: ApplicationDeclaration = SECOND, second_takes: int = 500) -> None:
        self.marketing = Marketing(database, applications=(MAINLAND, second))
        self.second = FakeCarrier(second_takes)
        second_id = self.marketing.applications[second.name].id
        self.senders = (
            replace(self.marketing.sender, failover=second_id),
            Sender(second_id, self.second, RateLimit(1_000_000), "https://sms.example.com/second"),
        )
        self.dispatch = self.a_dispatch()

    def a_task(self, count: int) -> Task:
        """To a new group of so many numbers, at the first application."""
        self.marketing.a_group("vip", numbers(count))
        return self.marketing.confirmed(self.marketing.a_draft(application="promo-cn"))

    @property
    def first(self) -> FakeCarrier:
        return self.marketing.carrier

    def a_dispatch(self) -> Dispatch:
        return self.marketing.a_dispatch(*self.senders)

    async def send_next(self, place: int) -> bool:
        """One batch of the first (0) or second (1) application; whether there was one."""
        claim = self.dispatch.claim(self.senders[place])
        if claim is not None:
            await self.dispatch.send_batch(claim, self.senders[place])
        return claim is not None

    async def send_all(self) -> None:
        """Whatever either has to do, time passing in between."""
        for _ in range(12):
            for place in (0, 1):
                while await self.send_next(place):
                    pass
            self.marketing.clock.move(timedelta(minutes=2))


@pytest.fixture
def pair(database: Database) -> Pair:
    return Pair(database)


def where(database: Database) -> list[int]:
    """The application of each batch."""
    with database.read(everyone=True) as connection:
        return list(connection.execute(select(batch.c.application_id).order_by(batch.c.no)).scalars())


async def test_what_is_refused_because_of_the_account_goes_to_the_second(pair: Pair, database: Database) -> None:
    task = pair.a_task(700)
    pair.first.will(FROZEN)
    await pair.send_next(0)
    assert pair.marketing.task(task).state is TaskState.SENDING
    assert pair.marketing.task(task).refused == 0
    await pair.send_next(1)
    (request,) = pair.second.requests
    assert request.numbers == numbers(200)
    assert (request.sender, request.template_code, request.signature) == ("1069000002", "their-1", None)
    assert (request.text, request.receipts_url) == ("【Spring】We open at nine.", "https://sms.example.com/second")
    await pair.send_all()
    now = pair.marketing.task(task)
    assert (now.state, now.accepted, now.refused, now.trouble) == (TaskState.FINISHED, 700, 0, None)
    assert pair.first.numbers == [*numbers(200), *numbers(500, FIRST_NUMBER + 200)], "the others are tried at home"
    check_every_task(database)


@pytest.mark.parametrize("earlier", ["connection_refused", "http_429"])
async def test_what_cannot_connect_at_its_third_attempt_goes_to_the_second(
    pair: Pair, database: Database, earlier: str
) -> None:
    task = pair.a_task(3)
    for attempt, trouble in enumerate([earlier, earlier, "connection_refused"]):
        assert pair.second.requests == [], attempt
        pair.first.will(not_taken(trouble))
        assert await pair.send_next(0)
        assert await pair.send_next(1) == (attempt == 2)
        pair.marketing.clock.move(timedelta(minutes=1))
    assert pair.marketing.task(task).accepted == 3
    assert pair.first.requests == []
    check_every_task(database)


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([unanswered], id="no answer"),
        pytest.param([error_page], id="an error page"),
        pytest.param([refuse_whole("TOO_LATE")], id="not at this hour"),
        pytest.param([leave_out(FIRST_NUMBER)], id="one left out"),
        pytest.param([not_taken("http_429", 0)] * 5, id="slow down"),
        pytest.param([refuse_whole("E200028")], id="the text is wrong"),
        pytest.param([refuse_all], id="each number for itself"),
        pytest.param([take(FIRST_NUMBER, seconds=0.0), *[not_taken("connection_refused", 0)] * 4], id="a part taken"),
        pytest.param([take(FIRST_NUMBER, seconds=0.0), FROZEN], id="a part taken, then frozen"),
    ],
)
async def test_nothing_else_goes_there(pair: Pair, database: Database, answers: Sequence[Answering]) -> None:
    pair.a_task(3)
    pair.first.will(*answers)
    await pair.send_all()
    assert pair.second.requests == []
    check_every_task(database)


async def test_what_the_second_refuses_is_refused_and_does_not_come_back(pair: Pair, database: Database) -> None:
    task = pair.a_task(3)
    pair.first.will(FROZEN)
    pair.second.will(FROZEN)
    await pair.send_all()
    now = pair.marketing.task(task)
    assert (now.state, now.refused) == (TaskState.FINISHED, 3)
    assert (len(pair.first.requests), len(pair.second.requests)) == (1, 1)
    check_every_task(database)


async def test_when_both_accounts_cannot_send_the_task_pauses(pair: Pair, database: Database) -> None:
    task = pair.a_task(700)
    pair.first.will(FROZEN)
    pair.second.will(FROZEN)
    await pair.send_all()
    now = pair.marketing.task(task)
    assert (now.state, now.refused, now.waiting) == (TaskState.PAUSED, 200, 500)
    check_every_task(database)


@pytest.mark.parametrize(
    ("answer", "refused", "unknown"), [(refuse_whole("TOO_LATE"), 200, 0), (error_page, 0, 200)], ids=["hour", "page"]
)
async def test_what_another_application_must_not_take_over_pauses_the_task(
    pair: Pair, database: Database, answer: Answering, refused: int, unknown: int
) -> None:
    task = pair.a_task(700)
    pair.first.will(answer)
    await pair.send_all()
    now = pair.marketing.task(task)
    assert (now.state, now.refused, now.unknown, now.waiting) == (TaskState.PAUSED, refused, unknown, 500)
    assert pair.second.requests == []
    check_every_task(database)


OTHER_TEXT = replace(SECOND, templates=(replace(THEIR_SPRING, text="We open at ten."),))
OTHER_NAME = replace(SECOND, templates=(replace(THEIR_SPRING, name="summer"),))
NO_SIGNATURE = replace(SECOND, signatures=(), templates=(replace(THEIR_SPRING, signature=None),))
UNIVERSAL = replace(SECOND, templates=(replace(THEIR_SPRING, signature=None),))


@pytest.mark.parametrize("second", [OTHER_TEXT, OTHER_NAME, NO_SIGNATURE], ids=["text", "name", "signature"])
async def test_without_the_same_text_there_it_is_refused_as_ever(
    database: Database, second: ApplicationDeclaration
) -> None:
    pair = Pair(database, second)
    task = pair.a_task(700)
    pair.first.will(FROZEN)
    await pair.send_all()
    assert pair.second.requests == []
    now = pair.marketing.task(task)
    assert (now.state, now.refused) == (TaskState.PAUSED, 200)
    check_every_task(database)


@pytest.mark.parametrize(
    ("second", "gaps"),
    [
        pytest.param(OTHER_TEXT, {("spring", None): "its template has another text"}, id="text"),
        pytest.param(OTHER_NAME, {("spring", None): "it has no approved template of that name"}, id="name"),
        pytest.param(NO_SIGNATURE, {("spring", None): "it has no approved signature of that name"}, id="signature"),
        pytest.param(UNIVERSAL, {}, id="none"),
    ],
)
def test_what_cannot_be_taken_over_is_known_before_it_matters(
    database: Database, second: ApplicationDeclaration, gaps: dict[tuple[str, str | None], str]
) -> None:
    first = replace(MAINLAND, templates=(SPRING, CODE))
    marketing = Marketing(database, applications=(first, second))
    listed = {each.name: each for each in marketing.lists_with({"promo-cn": "second"}).applications(WORKSPACE).items}
    assert listed["second"].failover is None
    failover = listed["promo-cn"].failover
    assert failover is not None
    assert failover.name == "second"
    assert {(each.template, each.signature): each.why for each in failover.gaps} == gaps


def test_a_universal_template_is_another_text_with_each_signature(database: Database) -> None:
    summer = SignatureDeclaration("Summer", "1069000003")
    first = replace(MAINLAND, signatures=(SIGNATURE, summer), templates=(UNIVERSAL_HELLO,))
    second = replace(SECOND, templates=(UNIVERSAL_HELLO,))
    marketing = Marketing(database, applications=(first, second))
    (one, _) = marketing.lists_with({"promo-cn": "second"}).applications(WORKSPACE).items
    assert one.failover is not None
    assert [(each.template, each.signature) for each in one.failover.gaps] == [("hello", "Summer")]


async def test_a_universal_template_there_takes_the_signature_into_the_request(database: Database) -> None:
    pair = Pair(database, UNIVERSAL)
    pair.a_task(3)
    pair.first.will(FROZEN)
    await pair.send_all()
    (request,) = pair.second.requests
    assert (request.text, request.signature) == ("【Spring】We open at nine.", "Spring")


async def test_a_batch_too_large_for_the_second_stays(database: Database) -> None:
    pair = Pair(database, second_takes=100)
    task = pair.a_task(200)
    pair.first.will(FROZEN)
    await pair.send_all()
    assert (pair.second.requests, pair.marketing.task(task).refused) == ([], 200)


async def test_what_the_second_can_no_longer_send_comes_home(pair: Pair, database: Database) -> None:
    task = pair.a_task(3)
    pair.first.will(FROZEN)
    await pair.send_next(0)
    second_id = pair.senders[1].application_id
    assert where(database) == [second_id]
    pair.marketing.declare(MAINLAND, OTHER_TEXT)
    assert not await pair.send_next(1)
    assert where(database) == [pair.marketing.application_id]
    await pair.send_all()
    assert (pair.marketing.task(task).accepted, pair.second.requests) == (3, [])
    check_every_task(database)


async def test_stopped_meanwhile_nothing_moves(pair: Pair, database: Database) -> None:
    task = pair.a_task(3)
    claim = pair.dispatch.claim(pair.senders[0])
    assert claim is not None
    pair.marketing.tasks.stop(pair.marketing.workspace_id, task.number, "U0BEN")
    pair.first.will(FROZEN)
    await pair.dispatch.send_batch(claim, pair.senders[0])
    assert not await pair.send_next(1)
    assert pair.marketing.task(task).refused == 3
    check_every_task(database)


async def test_what_was_given_up_as_lost_never_moves_and_its_late_refusal_still_counts(
    pair: Pair, database: Database
) -> None:
    task = pair.a_task(700)
    claim = pair.dispatch.claim(pair.senders[0])
    assert claim is not None
    pair.marketing.clock.move(timedelta(minutes=5))
    assert pair.a_dispatch().give_up_lost() == 1
    pair.first.will(FROZEN)
    late = replace(claim, lease_until=pair.marketing.in_(timedelta(minutes=5)))
    await pair.dispatch.send_batch(late, pair.senders[0])
    assert not await pair.send_next(1)
    assert pair.marketing.task(task).refused == 200
    check_every_task(database)


async def test_a_receipt_finds_its_message_at_the_second(pair: Pair, database: Database) -> None:
    task = pair.a_task(1)
    pair.first.will(FROZEN)
    pair.second.will(accept)
    await pair.send_all()
    receipt = Receipt("delivered", "DELIVRD", "id-1", pair.second.requests[0].reference, FIRST_NUMBER)
    pair.marketing.receipts.store([(pair.senders[1].application_id, receipt)])
    pair.marketing.receipts.apply()
    assert pair.marketing.task(task).delivered == 1
    check_every_task(database)
