"""What is done to one task in the list: edit while it waits, copy, send again what did not arrive, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from services import text
from services.clock import Clock
from services.content import Content, Template
from services.database import Database
from services.errors import NotAllowed
from services.groups import name_key
from services.hours import may_send, next_allowed
from services.models import send_task
from services.previews import Preview, Previews, SendRequest
from services.resends import Resend, ResendState, resent_in
from services.states import SmsType, Source, TaskState, may_cancel
from services.task_reports import Task, check_not_forgotten, find_task, type_and_region

NAME_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Edit:
    """What a scheduled task is to be; `at` is aware."""

    at: datetime
    template_id: int
    name: str


class TaskChanges:
    """Changes tasks as a whole; who sends them and how far they are is SendTasks'."""

    def __init__(self, database: Database, clock: Clock, previews: Previews, content: Content) -> None:
        self._database = database
        self._clock = clock
        self._previews = previews
        self._content = content

    def editable(self, workspace_id: str, number: int) -> Task:
        """A task that may still be edited. Raises UnknownThing or NotAllowed."""
        with self._database.read() as connection:
            return self._editable(connection, workspace_id, number)

    def templates_for(self, workspace_id: str, task: Task) -> Sequence[Template]:
        """Those that may stand in for the task's own, which comes first where it can still be chosen."""
        with self._database.read(workspace_id) as connection:
            sms_type, _ = type_and_region(connection, task)
        known = self._content.templates(workspace_id)
        own = [each for each in known if each.id == task.template_id]
        if task.variables:
            return own
        return [*own, *(e for e in known if e.id != task.template_id and _fits(e, task, sms_type))]

    def edit(self, workspace_id: str, number: int, by: str, wanted: Edit) -> Task:
        """Give a scheduled task another time, template or name, until 5 minutes before its time.

        A template must be of the same application and SMS type, and have no variables: the recipients were copied
        without any. Raises UnknownThing or NotAllowed.
        """
        task = self.editable(workspace_id, number)
        now = self._clock.now()
        if wanted.at != task.scheduled_at and wanted.at <= now:
            raise NotAllowed("edit_time_passed", number=number, at=wanted.at)
        self._check_hours(task, wanted.at)
        name = " ".join(wanted.name.split())
        if len(name) > NAME_LIMIT:
            raise NotAllowed("task_name", limit=NAME_LIMIT)
        values: dict[str, Any] = {"scheduled_at": wanted.at, "name": name, "name_key": name_key(name), "edited_by": by}
        if wanted.template_id != task.template_id:
            values |= self._other_text(workspace_id, task, wanted.template_id)
        with self._database.write() as tx:
            still = self._editable(tx, workspace_id, number)
            changed = (
                update(send_task)
                .where(
                    send_task.c.id == task.id,
                    send_task.c.state == TaskState.SCHEDULED.value,
                    send_task.c.version == task.version,
                )
                .values(version=send_task.c.version + 1, **values)
            )
            if still.version != task.version or tx.execute(changed).rowcount != 1:
                raise NotAllowed("changed_meanwhile", number=number)
            tx.commit()
            return find_task(tx, workspace_id, number)

    def copy(self, workspace_id: str, number: int, channel: str, by: str) -> Preview:
        """A new draft of the same groups, template and name, to be sent now. Raises UnknownThing or NotAllowed."""
        with self._database.read() as connection:
            task = find_task(connection, workspace_id, number)
        wanted = replace(self._previews.wanted(workspace_id, task.id), at=None)
        return self._previews.draft(workspace_id, channel, by, wanted)

    def resend(self, workspace_id: str, number: int, state: ResendState, channel: str, by: str) -> Preview:
        """A new draft of exactly the messages that failed, or of those nobody knows of, with the text as it is now.

        Raises UnknownThing or NotAllowed.
        """
        with self._database.read() as connection:
            task = find_task(connection, workspace_id, number)
            chosen = next((t for t in self._content.templates(workspace_id) if t.id == task.template_id), None)
        check_not_forgotten(task)
        if not task.state.is_over or task.waiting:
            raise NotAllowed("resend_running", number=number, state=task.state.value)
        if chosen is None:
            raise NotAllowed("template_gone")
        wanted = SendRequest(
            groups=(),
            template=chosen.name,
            signature=task.signature if chosen.is_universal else None,
            application=chosen.application,
            name=task.name or None,
            source=Source.RESEND,
            resend=Resend(task.number, task.id, state),
        )
        return self._previews.draft(workspace_id, channel, by, wanted)

    def resent_in(self, task: Task, state: ResendState) -> list[int]:
        """The numbers of the tasks that have sent these messages again already."""
        with self._database.read(task.workspace_id) as connection:
            return resent_in(connection, task.id, state)

    def delete(self, workspace_id: str, number: int, by: str) -> Task:
        """Take a task that is over off the list; its counts stay. Raises UnknownThing or NotAllowed."""
        with self._database.write() as tx:
            task = find_task(tx, workspace_id, number)
            if task.is_deleted:
                raise NotAllowed("already_deleted", number=number, by=task.deleted_by)
            if not task.state.is_over:
                raise NotAllowed("not_deletable", number=number, state=task.state.value)
            gone = update(send_task).where(send_task.c.id == task.id)
            tx.execute(gone.values(deleted_by=by, deleted_at=self._clock.now()))
            tx.commit()
            return find_task(tx, workspace_id, number)

    def _editable(self, connection: Connection, workspace_id: str, number: int) -> Task:
        task = find_task(connection, workspace_id, number)
        if task.state is not TaskState.SCHEDULED or task.scheduled_at is None:
            raise NotAllowed("not_editable", number=number, state=task.state.value)
        if not may_cancel(task.scheduled_at, self._clock.now()):
            raise NotAllowed("too_late_to_edit", number=number, at=task.scheduled_at)
        return task

    def _check_hours(self, task: Task, at: datetime) -> None:
        """As for a new send. Raises NotAllowed("edit_hours")."""
        with self._database.read(task.workspace_id) as connection:
            sms_type, region = type_and_region(connection, task)
        if not may_send(sms_type, region, at):
            raise NotAllowed("edit_hours", number=task.number, at=next_allowed(at))

    def _other_text(self, workspace_id: str, task: Task, template_id: int) -> dict[str, Any]:
        chosen = next((each for each in self.templates_for(workspace_id, task) if each.id == template_id), None)
        if chosen is None:
            raise NotAllowed("edit_template", number=task.number, template=task.template)
        signature = self._content.choose_signature(
            workspace_id, chosen, task.signature if chosen.is_universal else None
        )
        body = text.render(chosen.text, signature.name if signature else None, chosen.region)
        each = text.segments(body, chosen.region)
        return {
            "template_id": chosen.id,
            "template_code": chosen.code,
            "signature_id": signature.id if signature else None,
            "sender": signature.channel_number if signature else "",
            "request_signature": signature.name if signature and chosen.is_universal else None,
            "text": body,
            "segments_each": each,
            "segments": each * task.recipients,
        }


def _fits(chosen: Template, task: Task, sms_type: SmsType) -> bool:
    same = chosen.application == task.application and chosen.sms_type is sms_type
    return same and not text.variables(chosen.text)
