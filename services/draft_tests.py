"""Test sends: a draft's text to one's own number, or a few others, before it goes to everybody."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from services import text
from services.audiences import Audience, has_opted_out, is_in_region
from services.carriers.ports import Limits
from services.clock import Clock
from services.confirm import audience_of, changes, lock_draft, make_real
from services.content import Template, template_by_id
from services.database import Database, insert_row
from services.entries import CheckedLines, store_for_send
from services.errors import NotAllowed
from services.hours import may_send, next_allowed
from services.models import own_number, recipient, send_task
from services.recipients import plan_batches
from services.states import Region, SmsType, Source, TaskState
from services.task_reports import Task, task_by_id
from services.variables import Values, find_columns, from_json, people, to_json

MOST_NUMBERS = 5
_KEPT = (
    *("workspace_id", "channel", "application_id", "template_id", "signature_id", "template_code", "sender"),
    *("request_signature", "text", "variables"),
)


class DraftTests:
    """Sends tests of drafts. `limits` and `new_token` as for Confirmations and Previews."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        limits: Mapping[int, Limits],
        new_token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits
        self._new_token = new_token

    def own_number(self, workspace_id: str, person: str) -> int | None:
        """The number a person gave as their own last time."""
        with self._database.read() as connection:
            query = select(own_number.c.number).where(
                own_number.c.workspace_id == workspace_id, own_number.c.person == person
            )
            return connection.execute(query).scalar()

    def send(self, workspace_id: str, draft_id: int, by: str, own: int | None, others: Sequence[int]) -> Task:
        """Send the draft's text now, as a task of its own that is marked as a test; the draft stays what it is.

        Where the text has variables, the values are the first recipient's. `own` is remembered. Raises UnknownThing or
        NotAllowed.
        """
        now = self._clock.now()
        numbers = sorted({*others, *([] if own is None else [own])})
        with self._database.write() as tx:
            draft = lock_draft(tx, workspace_id, draft_id)
            chosen = template_by_id(tx, workspace_id, draft.template_id)
            if chosen is None:
                raise NotAllowed("template_gone")
            if changes(tx, draft, chosen):
                raise NotAllowed("draft_changed")
            if not may_send(chosen.sms_type, chosen.region, now):
                raise NotAllowed("test_at_night", at=next_allowed(now))
            for number in numbers:
                _check(tx, workspace_id, chosen, number)
            values = _first_values(tx, draft, audience_of(tx, draft, chosen)[0])
            test = self._store(tx, draft, by, chosen.region, numbers, values)
            plan_batches(self._database.bulk, tx, test, [len(numbers)], self._limits[draft.application_id])
            make_real(tx, self._database.queue, test, by, now)
            if own is not None:
                _remember(tx, workspace_id, by, own)
            tx.commit()
            return task_by_id(tx, workspace_id, test.id)

    def _store(
        self,
        tx: Connection,
        draft: Row[Any],
        by: str,
        region: Region,
        numbers: Sequence[int],
        values: Values | None,
    ) -> Row[Any]:
        typed = CheckedLines([*enumerate(numbers, start=1)], [], frozenset())
        now, bulk = self._clock.now(), self._database.bulk
        each = text.SegmentCounter(draft.text, from_json(draft.variables), region).count(values or ())
        kept = {name: getattr(draft, name) for name in _KEPT}
        made = {
            "token": self._new_token(),
            "name": draft.name,
            "name_key": draft.name_key,
            "state": TaskState.DRAFT.value,
            "source": Source.TYPED.value,
            # For a copy of it.
            "import_id": store_for_send(tx, bulk, draft.workspace_id, typed, draft.channel, by, now),
            "is_test": True,
            "segments_each": each,
            "segments": each * len(numbers),
            "recipients": len(numbers),
            "distinct_numbers": len(numbers),
            "outside_region": 0,
            "created_by": by,
            "created_at": now,
        }
        task_id = insert_row(tx, insert(send_task).values({**kept, **made}))
        filled = None if values is None else to_json(values)
        rows = [(task_id, seq, number, filled) for seq, number in enumerate(numbers, start=1)]
        bulk.insert(tx, recipient, ["task_id", "seq", "number", "values"], rows)
        return tx.execute(select(send_task).where(send_task.c.id == task_id)).one()


def _check(tx: Connection, workspace_id: str, chosen: Template, number: int) -> None:
    if not is_in_region(number, chosen.region):
        raise NotAllowed("test_outside_region", number=number, application=chosen.application, region=chosen.region)
    if chosen.sms_type is SmsType.PROMOTIONAL and has_opted_out(tx, workspace_id, number):
        raise NotAllowed("test_opted_out", number=number)


def _first_values(tx: Connection, draft: Row[Any], audience: Audience) -> Values | None:
    """What fills the variables of the first recipient's copy; None for a text without any."""
    if draft.variables is None:
        return None
    columns = find_columns(tx, audience, draft.template_code, from_json(draft.variables))
    with closing(people(tx, audience, columns, draft.text)) as found:
        first = next((person for person in found if person.copies), None)
    if first is None:
        raise NotAllowed("draft_changed")
    return first.copies[0].values


def _remember(tx: Connection, workspace_id: str, person: str, number: int) -> None:
    tx.execute(delete(own_number).where(own_number.c.workspace_id == workspace_id, own_number.c.person == person))
    tx.execute(insert(own_number).values(workspace_id=workspace_id, person=person, number=number))
