"""A worker killed at random moments, again and again: nobody gets two, and nobody is forgotten."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from services.database import Database
from services.models import recipient, submission
from services.states import TaskState
from tests.services.audit import check_every_task
from tests.services.builders import Marketing, numbers
from tests.services.fakes import FakeCarrier
from tests.services.killed_worker import MAX_NUMBERS

PEOPLE = 2000
LIVES = 6


@pytest.mark.parametrize(("kind", "seed"), [("sqlite", 1), ("sqlite", 2), ("postgresql", 3)])
def test_a_worker_killed_again_and_again_sends_to_nobody_twice_and_forgets_nobody(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, seed: int
) -> None:
    database: Database = request.getfixturevalue(kind)
    marketing = Marketing(database, carrier=FakeCarrier(MAX_NUMBERS))
    task = marketing.a_confirmed_task(PEOPLE)
    log = tmp_path / "taken"
    url = database.engine.url.render_as_string(hide_password=False)
    arguments = [url, str(marketing.application_id), str(log), str(seed), str(LIVES)]
    subprocess.run([sys.executable, "-m", "tests.services.killed_worker", *arguments], check=True, timeout=60)

    taken = Counter(map(int, log.read_text().split()))
    assert [number for number, times in taken.items() if times > 1] == []
    assert taken.keys() <= set(numbers(PEOPLE))
    now = marketing.task(task)
    assert (now.state, now.waiting, now.handed_over) == (TaskState.FINISHED, 0, PEOPLE)
    with database.read(everyone=True) as connection:
        rows = connection.execute(
            select(recipient.c.number).join(
                submission, (submission.c.task_id == recipient.c.task_id) & (submission.c.seq == recipient.c.seq)
            )
        )
        recorded = set(rows.scalars())
    assert recorded <= taken.keys()
    # Each kill leaves at most the batches of its three connections without an answer.
    assert PEOPLE - len(recorded) <= (LIVES - 1) * 3 * MAX_NUMBERS
    assert now.unknown == PEOPLE
    check_every_task(database)
