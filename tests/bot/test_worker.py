"""A worker beside runs that come and go: it sends for what its settings name."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.bad_config import BadConfig
from bot.config import read_worker_config
from bot.sending import use_queue
from bot.worker import Worker
from sandbox.carriers.huawei import HuaweiSandbox
from services.content import ApplicationDeclaration, SignatureDeclaration, TemplateDeclaration
from services.database import Database
from services.states import Region, SmsType, TaskState
from tests.bot.settings import WHOLE, environment
from tests.sandbox.people import until
from tests.services.builders import Marketing, numbers

SIGNATURES = (SignatureDeclaration("Spring", "csms100000001"),)
TEMPLATES = (TemplateDeclaration("spring", "8ff55eac1d0b478ab3c06c3c6a492300", SmsType.NOTIFICATION, "Hi.", "Spring"),)
PROMO, NEWS = (
    ApplicationDeclaration(name, "huawei", Region.MAINLAND, SIGNATURES, TEMPLATES) for name in ("promo-cn", "news-cn")
)


@pytest.fixture
def fleet(postgresql: Database) -> Database:
    """A database whose batches are put into the queue."""
    use_queue(postgresql)
    return postgresql


def a_worker(folder: Path, url: str, carrier: HuaweiSandbox) -> Worker:
    """Its settings name both applications."""
    first = WHOLE.replace("http://127.0.0.1:9", carrier.url)
    given = environment(folder, first + first.replace("promo-cn", "news-cn"), DATABASE_URL=url)
    return Worker(read_worker_config(given), look_again_seconds=0.05)


async def test_it_says_which_application_no_run_has_entered_and_sends_for_it_once_one_has(
    fleet: Database, postgresql_url: str, tmp_path: Path, carrier: HuaweiSandbox
) -> None:
    Marketing(fleet, applications=[PROMO])
    worker = a_worker(tmp_path, postgresql_url, carrier)
    with capture_logs() as logs:
        await worker.start()
        try:
            assert [each["applications"] for each in logs if each["event"] == "applications.not_entered"] == [
                ["news-cn"]
            ]
            marketing = Marketing(fleet, applications=[PROMO, NEWS])
            # Only then: a job that a worker leaves when it stops is put back by the tick of a `run`, which is not here.
            await until(lambda: any(each["event"] == "applications.taken_up" for each in logs), 30)
            marketing.a_group("vip", numbers(3))
            tasks = [marketing.confirmed(marketing.a_draft(application=each.name)) for each in (PROMO, NEWS)]
            await until(lambda: all(marketing.task(each).state is TaskState.FINISHED for each in tasks), 60)
        finally:
            await worker.stop()


async def test_without_any_it_does_not_start(
    fleet: Database, postgresql_url: str, tmp_path: Path, carrier: HuaweiSandbox
) -> None:
    with pytest.raises(BadConfig, match="No application of the settings is in the database yet"):
        await a_worker(tmp_path, postgresql_url, carrier).start()
