"""Who opts out between the confirmation and a batch's turn is left out of it, and counted."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from services.carriers.ports import Receipt
from services.database import Database
from services.models import opt_out, submission
from services.pool import Fate, Pool
from services.states import SmsType, TaskState
from services.task_reports import Task
from tests.services.audit import check_every_task
from tests.services.builders import ANA, FIRST_NUMBER, WORKSPACE, Marketing, numbers
from tests.services.fakes import not_taken


def a_sale(marketing: Marketing, count: int = 3) -> Task:
    """A promotional task."""
    marketing.a_group("fans", numbers(count), SmsType.PROMOTIONAL)
    return marketing.confirmed(marketing.a_draft(["fans"], "sale"))


def opts_out(marketing: Marketing, *who: int, workspace_id: str = WORKSPACE) -> None:
    """They have answered STOP."""
    with marketing.database.write(everyone=True) as tx:
        for number in who:
            tx.execute(
                opt_out.insert().values(
                    workspace_id=workspace_id, number=number, origin="reply", at=marketing.clock.now()
                )
            )
        tx.commit()


async def test_who_has_opted_out_since_is_skipped(marketing: Marketing, database: Database) -> None:
    task = a_sale(marketing)
    opts_out(marketing, FIRST_NUMBER + 1, FIRST_NUMBER + 77)
    await marketing.send_all()
    assert marketing.carrier.numbers == [FIRST_NUMBER, FIRST_NUMBER + 2]
    now = marketing.task(task)
    assert (now.state, now.handed_over, now.accepted, now.skipped, now.waiting) == (TaskState.FINISHED, 2, 2, 1, 0)
    with database.read(everyone=True) as connection:
        row = connection.execute(select(submission).where(submission.c.outcome == "skipped")).one()
    assert (row.seq, row.code, row.sms_id) == (2, "opted_out", None)
    (message,) = Pool(database).find(WORKSPACE, FIRST_NUMBER + 1).messages
    assert message.fate is Fate.SKIPPED
    check_every_task(database)


async def test_a_notification_goes_to_everybody(marketing: Marketing) -> None:
    task = marketing.a_confirmed_task(3)
    opts_out(marketing, FIRST_NUMBER)
    await marketing.send_all()
    assert (marketing.task(task).accepted, marketing.task(task).skipped) == (3, 0)


async def test_another_workspaces_list_is_not_ours(marketing: Marketing, database: Database) -> None:
    other = Marketing(database, workspace_id="T0OTHER")
    task = a_sale(marketing)
    opts_out(other, *numbers(3), workspace_id="T0OTHER")
    await marketing.send_all()
    assert marketing.task(task).accepted == 3


async def test_a_batch_of_nobody_else_is_done_without_a_request(marketing: Marketing, database: Database) -> None:
    task = a_sale(marketing, 700)
    opts_out(marketing, *numbers(200))
    await marketing.send_all()
    assert [len(request.numbers) for request in marketing.carrier.requests] == [500]
    now = marketing.task(task)
    assert (now.state, now.skipped, now.handed_over) == (TaskState.FINISHED, 200, 500)
    check_every_task(database)


async def test_a_batch_that_is_tried_again_counts_them_once(marketing: Marketing, database: Database) -> None:
    task = a_sale(marketing)
    opts_out(marketing, FIRST_NUMBER)
    marketing.carrier.will(not_taken(retry_after_seconds=0))
    dispatch = marketing.a_dispatch()
    await marketing.send_next(dispatch)
    check_every_task(database)
    opts_out(marketing, FIRST_NUMBER + 1)
    await marketing.send_all(dispatch)
    assert marketing.carrier.numbers == [FIRST_NUMBER + 2]
    assert (marketing.task(task).skipped, marketing.task(task).handed_over) == (2, 1)
    check_every_task(database)


def test_a_worker_that_dies_leaves_only_the_others_unknown(marketing: Marketing, database: Database) -> None:
    task = a_sale(marketing)
    opts_out(marketing, FIRST_NUMBER)
    assert marketing.a_dispatch().claim(marketing.sender) is not None
    assert marketing.a_dispatch().give_up_lost(own=True) == 1
    now = marketing.task(task)
    assert (now.state, now.skipped, now.unknown) == (TaskState.FINISHED, 1, 2)
    check_every_task(database)


async def test_stopped_the_skipped_are_not_held_back(marketing: Marketing, database: Database) -> None:
    task = a_sale(marketing)
    opts_out(marketing, FIRST_NUMBER)
    marketing.carrier.will(not_taken())
    await marketing.send_next(marketing.a_dispatch())
    stopped = marketing.tasks.stop(WORKSPACE, task.number, ANA)
    assert (stopped.held_back, stopped.handed_over, marketing.task(task).skipped) == (2, 0, 1)
    check_every_task(database)


@pytest.mark.parametrize("stopped", [False, True], ids=["sent", "stopped"])
async def test_a_receipt_for_who_was_skipped_is_a_strangers(
    marketing: Marketing, database: Database, stopped: bool
) -> None:
    task = a_sale(marketing)
    opts_out(marketing, FIRST_NUMBER)
    dispatch = marketing.a_dispatch()
    claim = dispatch.claim(marketing.sender)
    assert claim is not None
    if stopped:
        marketing.tasks.stop(WORKSPACE, task.number, ANA)
        dispatch.give_back(claim, "http_429", timedelta(0))
    else:
        await dispatch.send_batch(claim, marketing.sender)
    marketing.report(Receipt("delivered", "DELIVRD", "id-1", claim.submission.reference, FIRST_NUMBER))
    assert marketing.task(task).delivered == 0
    check_every_task(database)
