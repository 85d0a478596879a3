"""What a request for a task carries at another application than its own, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Select, and_, bindparam, select, update

from services import text
from services.models import application, batch, send_task, signature, template
from services.states import ApprovalStatus, BatchState, Region

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Content:
    """What a request for a task carries at another application than its own."""

    sender: str
    template_code: str
    signature: str | None


_own_template, _own_signature = template.alias(), signature.alias()
_ELSEWHERE: Select[Any] = (
    select(
        send_task.c.text.label("confirmed"),
        send_task.c.signature_id.label("own_signature_id"),
        application.c.active,
        application.c.region,
        template.c.code,
        template.c.text,
        template.c.status.label("template_status"),
        template.c.signature_id,
        signature.c.id.label("its_signature_id"),
        signature.c.name.label("signature_name"),
        signature.c.channel_number,
        signature.c.status.label("signature_status"),
    )
    .select_from(send_task)
    .join(application, application.c.id == bindparam("elsewhere"))
    .join(_own_template, _own_template.c.id == send_task.c.template_id)
    .outerjoin(_own_signature, _own_signature.c.id == send_task.c.signature_id)
    .outerjoin(template, and_(template.c.application_id == application.c.id, template.c.name == _own_template.c.name))
    .outerjoin(
        signature, and_(signature.c.application_id == application.c.id, signature.c.name == _own_signature.c.name)
    )
    .where(send_task.c.id == bindparam("the_task"))
)
_BRING_HOME = (
    update(batch)
    .where(
        batch.c.task_id == bindparam("the_task"),
        batch.c.application_id == bindparam("elsewhere"),
        batch.c.state == BatchState.PLANNED.value,
    )
    .values(application_id=bindparam("home"))
)


def content_at(connection: Connection, task_id: int, application_id: int) -> Content | str:
    """What a request for the task carries at this application; or why it has nothing for it."""
    row = connection.execute(_ELSEWHERE, {"the_task": task_id, "elsewhere": application_id}).one()
    why = _why_not(row)
    if why is not None:
        return why
    is_universal = row.signature_id is None
    signs = row.its_signature_id is not None
    return Content(
        sender=row.channel_number if signs else "",
        template_code=row.code,
        signature=row.signature_name if signs and is_universal else None,
    )


def bring_home(tx: Connection, task_id: int, application_id: int, home: int) -> None:
    """The other application can no longer send this task: its own takes it up again."""
    log.warning("failover.undone", task=task_id, application=application_id)
    tx.execute(_BRING_HOME, {"the_task": task_id, "elsewhere": application_id, "home": home})


def _why_not(row: Row[Any]) -> str | None:
    if not row.active:
        return "the application is no longer in the settings"
    if row.template_status != ApprovalStatus.APPROVED:
        return "it has no approved template of that name"
    if row.own_signature_id is not None and row.signature_status != ApprovalStatus.APPROVED:
        return "it has no approved signature of that name"
    if row.signature_id is not None and row.signature_id != row.its_signature_id:
        return "its template belongs to another signature"
    name = row.signature_name if row.own_signature_id is not None else None
    if text.render(row.text, name, Region(row.region)) != row.confirmed:
        return "its template has another text"
    return None
