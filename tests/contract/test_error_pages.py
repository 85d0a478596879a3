"""An error page in place of a carrier's answer says nothing of what became of the request: every carrier, alone and
through dispatch, with a second application that would take over what was refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from services.carriers.http import Http
from services.carriers.ports import Carrier, Submission
from services.content import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.dispatch import Sender
from services.errors import Unanswered
from services.models import send_task
from services.rate import RateLimit
from services.states import PauseReason, Region, SmsType, TaskState
from services.task_reports import Task
from tests.contract.proxy import Proxy
from tests.contract.stands import GOOD, KannelStand, Stand, TwilioStand
from tests.services.audit import check_every_task
from tests.services.builders import Marketing
from tests.services.fakes import FakeCarrier

PAGES = [b"<html>Forbidden</html>", b"", b'{"code": "E00010', b'{"message": "no code in it"}', b"\x00", b"Forbidden"]
STATUSES = [301, 307, 400, 401, 403, 404, 405, 413, 421]
SPRING = TemplateDeclaration("spring", "tpl-spring", SmsType.NOTIFICATION, "Hello.", "Shop")


@pytest.mark.parametrize("status", STATUSES)
async def test_nobody_knows_what_an_error_page_means(stand: Stand, patient: Http, proxy: Proxy, status: int) -> None:
    carrier = stand.carrier(patient, url=proxy.url)
    for page in PAGES:
        if status == 400 and page == b"Forbidden" and not stand.gives_ids:
            continue  # that is how Kannel itself refuses
        proxy.answer = (status, page)
        with pytest.raises(Unanswered) as raised:
            await carrier.submit(stand.submission(*GOOD))
        assert raised.value.code == f"http_{status}", page


class Pair:
    """The stand's application, reached by `carrier`, and another one that takes over from it."""

    def __init__(self, database: Database, stand: Stand, carrier: Carrier) -> None:
        declared = [declaration(name, stand.submission(*GOOD)) for name in ("app", "other")]
        self.marketing = Marketing(database, applications=declared)
        app, other = (self.marketing.applications[name].id for name in ("app", "other"))
        self.second = FakeCarrier()
        self.sender = Sender(app, carrier, RateLimit(1e6), "http://127.0.0.1:9/receipts", failover=other)
        self.senders = (self.sender, Sender(other, self.second, RateLimit(1e6), None))

    async def send(self, count: int) -> Task:
        """To so many, until there is nothing more to do."""
        self.marketing.a_group("vip", [8613811110100 + step for step in range(count)])
        task = self.marketing.confirmed(self.marketing.a_draft(application="app"))
        dispatch = self.marketing.a_dispatch(*self.senders)
        while claims := [(claim, sender) for sender in self.senders if (claim := dispatch.claim(sender))]:
            for claim, sender in claims:
                await dispatch.send_batch(claim, sender)
            self.marketing.clock.move(timedelta(minutes=2))
        return self.marketing.task(task)


def declaration(name: str, submission: Submission) -> ApplicationDeclaration:
    signature = SignatureDeclaration("Shop", submission.sender)
    spring = TemplateDeclaration("spring", submission.template_code, SmsType.NOTIFICATION, "Hello.", "Shop")
    return ApplicationDeclaration(name, "any", Region.MAINLAND, (signature,), (spring,))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'sms.db'}")
    made.migrate()
    yield made
    made.close()


def why_paused(database: Database) -> tuple[str | None, str | None]:
    with database.read(everyone=True) as connection:
        row = connection.execute(select(send_task.c.pause_reason, send_task.c.pause_code)).one()
    return row.pause_reason, row.pause_code


async def test_a_wrong_address_makes_one_batch_unknown_and_pauses_the_task(
    stand: Stand, patient: Http, proxy: Proxy, database: Database
) -> None:
    pair = Pair(database, stand, stand.carrier(patient, url=proxy.url))
    task = await pair.send(700)
    assert (task.state, why_paused(database)) == (TaskState.PAUSED, (PauseReason.ACCOUNT, "http_404"))
    assert (task.accepted, task.refused) == (0, 0)
    assert 0 < task.unknown <= 200
    assert task.unknown + task.waiting == 700
    assert proxy.requests == (task.unknown if stand.requests_each else 1), "only what was asked for is unknown"
    assert pair.second.requests == []
    check_every_task(database)


async def test_what_may_have_arrived_never_goes_to_the_other_application(
    stand: Stand, patient: Http, database: Database
) -> None:
    stand.sandbox.inject("http_403", 3 if stand.requests_each else 1)
    pair = Pair(database, stand, stand.carrier(patient))
    task = await pair.send(3)
    assert (task.state, task.unknown, task.refused) == (TaskState.FINISHED, 3, 0)
    assert (len(stand.sandbox.log), pair.second.requests) == (3, [])
    check_every_task(database)


@pytest.mark.parametrize("made", [TwilioStand, KannelStand])
async def test_a_few_error_pages_among_good_answers_cost_no_other_number_its_sms(
    made: type[TwilioStand] | type[KannelStand], patient: Http, database: Database
) -> None:
    stand = made()
    await stand.start("http://127.0.0.1:9")
    stand.sandbox.inject("delay", 5, seconds=0.0)
    stand.sandbox.inject("http_403", 2)
    pair = Pair(database, stand, stand.carrier(patient))
    task = await pair.send(50)
    assert (task.state, task.handed_over, task.accepted, task.refused) == (TaskState.FINISHED, 50, 48, 0)
    assert sorted(int(entry.number) for entry in stand.sandbox.log) == [8613811110100 + step for step in range(50)]
    assert pair.second.requests == []
    check_every_task(database)
    await stand.sandbox.stop()
