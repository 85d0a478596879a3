"""Whatever a carrier does, through the whole of dispatch: nobody gets two, everybody is counted, it comes to an end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import bindparam, update

from bot.application_settings import ApplicationSettings
from bot.applications_file import ApplicationsFile
from bot.carriers import make_carrier as connect
from sandbox.carriers.faults import REQUEST_FAULTS
from sandbox.demo_carriers import CARRIERS, applications, make_carrier
from services.carriers.http import Http
from services.carriers.ports import Limits
from services.clock import SystemClock
from services.content import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.dispatch import Sender
from services.models import recipient, send_task
from services.rate import RateLimit
from services.states import SmsType, TaskState
from tests.services.audit import check_every_task
from tests.services.builders import ANA, Marketing
from tests.services.fakes import FakeClock

COUNT = 700
# Endings that mean nothing to a stand-in.
NUMBERS = [86_138_0001_0000 + 1000 * (each // 900) + 100 + each % 900 for each in range(COUNT)]


class Today(FakeClock):
    """The real time: retries must come."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def declaration(settings: ApplicationSettings) -> ApplicationDeclaration:
    (signature,), spring = settings.signature, settings.template[0]
    return ApplicationDeclaration(
        settings.name,
        settings.carrier,
        settings.region,
        [SignatureDeclaration(signature.name, signature.sender)],
        [TemplateDeclaration("spring", spring.code, SmsType.NOTIFICATION, spring.text, signature.name)],
    )


def give_values(database: Database) -> None:
    """What a template with one variable would have; ten different values."""
    named = recipient.update().where(recipient.c.seq % 10 == bindparam("rest")).values({"values": bindparam("filled")})
    with database.write(everyone=True) as tx:
        tx.execute(update(send_task).values(text="Dear ${1}.", variables='["1"]'))
        tx.execute(named, [{"rest": rest, "filled": f'["客户{rest}"]'} for rest in range(10)])
        tx.commit()


@pytest.mark.parametrize(("seed", "has_values"), [(1, False), (2, False), (3, True)])
@pytest.mark.parametrize("carrier", CARRIERS)
async def test_nobody_gets_two_and_everybody_is_counted(
    carrier: str, seed: int, has_values: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dispatch.FIRST_RETRY", timedelta(milliseconds=20))
    chance = random.Random(seed)
    sandbox = make_carrier(carrier, (0.0, 0.0))
    await sandbox.start()
    for kind in chance.choices(sorted(REQUEST_FAULTS), k=20):
        sandbox.inject(kind, seconds=0.0)
        # A few that go well.
        sandbox.inject("delay", count=chance.randrange(1, 5), seconds=0.0)
    toml = tmp_path / "applications.toml"
    toml.write_text(applications(sandbox.url, carrier), "utf-8")
    (settings,) = ApplicationsFile(toml, CARRIERS[carrier].secrets).applications()
    database = Database(f"sqlite:///{tmp_path / 'sms.db'}")
    database.migrate()
    rate, http = RateLimit(2000), Http(connect_seconds=1.0, read_seconds=0.3)
    connected = connect(settings, http, SystemClock(), rate.acquire)
    marketing = Marketing(database, clock=Today(), applications=[declaration(settings)])
    marketing.confirmations._limits = {marketing.application_id: Limits(50, 50)}
    marketing.a_group("vip", NUMBERS)
    task = marketing.confirmed(marketing.a_draft())
    if has_values:
        # The stand-ins know no template with a variable.
        vars(sandbox)["_templates"] = None
        give_values(database)
    with ThreadPoolExecutor(1) as threads:
        dispatch = marketing.a_dispatch(Sender(marketing.application_id, connected, rate, None, 4), executor=threads)
        running = asyncio.create_task(dispatch.run())
        async with asyncio.timeout(60):
            while not (now := marketing.task(task)).state.is_over:
                if now.state is TaskState.PAUSED:
                    # An error page in the place of an answer; somebody looks, and goes on.
                    marketing.tasks.resume(marketing.workspace_id, task.number, ANA)
                    dispatch.wake()
                await asyncio.sleep(0.05)
        dispatch.stop()
        await running
    await http.close()
    await sandbox.stop()
    found = marketing.task(task)
    check_every_task(database)
    database.close()
    taken = Counter(int(entry.number) for entry in sandbox.log)
    assert set(taken.values()) == {1}
    if has_values and carrier in ("twilio", "kannel"):
        assert {entry.text for entry in sandbox.log} == {f"Dear 客户{rest}." for rest in range(10)}
    assert found.accepted <= len(taken) <= found.recipients == COUNT
    assert found.waiting == found.held_back == found.refused == 0
    assert 0 < found.accepted < COUNT, "some faults leave open what became of a request"
