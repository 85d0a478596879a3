"""Another application in the place of a task's own, for batches that provably never left or were refused whole because
of the account; never for what may have arrived.

The other one needs a template of the same name and text, and a signature of the same name. A batch that moved stays
there: there is no third application.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy import Connection, bindparam, exists, select, update

from services.elsewhere import content_at
from services.models import batch
from services.outcomes import Handed, PutOff
from services.states import BatchState, TaskState

log = structlog.get_logger()

# A connection that fails at this attempt or a later one moves its batch, whatever the earlier ones ended in.
ATTEMPTS = 3

_CLAIMED = (
    batch.c.task_id == bindparam("the_task"),
    batch.c.no == bindparam("the_no"),
    batch.c.attempt == bindparam("the_attempt"),
)
_MOVE = (
    update(batch)
    .where(*_CLAIMED, batch.c.state == BatchState.PLANNED.value)
    .values(application_id=bindparam("elsewhere"))
)
_IS_LOST = select(exists().where(*_CLAIMED, batch.c.state == BatchState.UNKNOWN.value))


def choose(tx: Connection, handed: Sequence[Handed], states: Mapping[int, str]) -> list[Handed]:
    """Of those that may go elsewhere, what goes there goes back to be sent, and the others are as they were."""
    return [each if each.elsewhere is None else _chosen(tx, each, states[each.claim.task_id]) for each in handed]


def move(tx: Connection, handed: Sequence[Handed]) -> None:
    """Give those that go elsewhere, and are planned again by now, to the other application."""
    for each in handed:
        if each.elsewhere is not None:
            claim = each.claim
            if tx.execute(_MOVE, {**_claimed(each), "elsewhere": each.elsewhere}).rowcount:
                log.warning("batch.moved", task=claim.task_id, batch=claim.no, application=each.elsewhere)


def _chosen(tx: Connection, each: Handed, state: str) -> Handed:
    assert each.elsewhere is not None
    stays = replace(each, elsewhere=None)
    if state not in (TaskState.SENDING, TaskState.PAUSED):
        return stays
    if tx.execute(_IS_LOST, _claimed(each)).scalar():
        # Given up meanwhile, it goes nowhere any more, and its answer is only an answer.
        return stays
    content = content_at(tx, each.claim.task_id, each.elsewhere)
    if isinstance(content, str):
        log.warning("failover.impossible", task=each.claim.task_id, application=each.elsewhere, why=content)
        return stays
    code = each.account_code or (each.rest.trouble if each.rest else None)
    again = PutOff(frozenset(each.claim.seqs), timedelta(0), code)
    return replace(each, outcomes={}, rest=again, account_code=None)


def _claimed(each: Handed) -> dict[str, int]:
    return {"the_task": each.claim.task_id, "the_no": each.claim.no, "the_attempt": each.claim.attempt}
