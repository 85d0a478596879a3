"""What a request for a task carries at another application than its own, and the way back; and what that one lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Select, bindparam, select, update

from services import text
from services.declarations import ApplicationDeclaration
from services.models import application, batch, send_task, signature, template
from services.states import ApprovalStatus, BatchState, Region, SmsType

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Content:
    """What a request for a task carries at another application than its own."""

    sender: str
    template_code: str
    signature: str | None


@dataclass(frozen=True, slots=True)
class Offered:
    """An approved template; without `signature` it is universal."""

    name: str
    code: str
    sms_type: SmsType
    text: str
    signature: str | None


@dataclass(frozen=True, slots=True)
class Stock:
    """What an application may send: its approved templates, and the channel numbers of its approved signatures."""

    region: Region
    templates: Sequence[Offered]
    signatures: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gap:
    """A template that another application cannot take over, and `why`, as words without a full stop.

    `signature` is that of a universal template, which is another text with each.
    """

    template: str
    signature: str | None
    why: str


_own_template, _own_signature = template.alias(), signature.alias()
_TASK: Select[Any] = (
    select(
        send_task.c.text,
        _own_template.c.name.label("template"),
        _own_signature.c.name.label("signature"),
        application.c.active,
    )
    .select_from(send_task)
    .join(application, application.c.id == bindparam("elsewhere"))
    .join(_own_template, _own_template.c.id == send_task.c.template_id)
    .outerjoin(_own_signature, _own_signature.c.id == send_task.c.signature_id)
    .where(send_task.c.id == bindparam("the_task"))
)
_TEMPLATES = (
    select(template.c.name, template.c.code, template.c.sms_type, template.c.text, signature.c.name.label("signature"))
    .outerjoin(signature, signature.c.id == template.c.signature_id)
    .where(
        template.c.application_id == bindparam("the_application"), template.c.status == ApprovalStatus.APPROVED.value
    )
    .order_by(template.c.name)
)
_SIGNATURES = select(signature.c.name, signature.c.channel_number).where(
    signature.c.application_id == bindparam("the_application"), signature.c.status == ApprovalStatus.APPROVED.value
)
_REGION = select(application.c.region).where(application.c.id == bindparam("the_application"))
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
    task = connection.execute(_TASK, {"the_task": task_id, "elsewhere": application_id}).one()
    if not task.active:
        return "the application is no longer in the settings"
    there = stock_of(connection, application_id)
    found = _counterpart(there, task.template, task.signature, task.text)
    if isinstance(found, str):
        return found
    return Content(
        sender="" if task.signature is None else there.signatures[task.signature],
        template_code=found.code,
        signature=task.signature if found.signature is None else None,
    )


def bring_home(tx: Connection, task_id: int, application_id: int, home: int) -> None:
    """The other application can no longer send this task: its own takes it up again."""
    log.warning("failover.undone", task=task_id, application=application_id)
    tx.execute(_BRING_HOME, {"the_task": task_id, "elsewhere": application_id, "home": home})


def stock_of(connection: Connection, application_id: int) -> Stock:
    """As the tables have it now."""
    of_this = {"the_application": application_id}
    return Stock(
        Region(connection.execute(_REGION, of_this).scalar_one()),
        [
            Offered(row.name, row.code, SmsType(row.sms_type), row.text, row.signature)
            for row in connection.execute(_TEMPLATES, of_this)
        ],
        {row.name: row.channel_number for row in connection.execute(_SIGNATURES, of_this)},
    )


def declared_stock(declared: ApplicationDeclaration) -> Stock:
    """As the settings alone have it; there may be more in Slack and at the carrier."""
    return Stock(
        declared.region,
        [Offered(each.name, each.code, each.sms_type, each.text, each.signature) for each in declared.templates],
        {each.name: each.channel_number for each in declared.signatures},
    )


def gaps(home: Stock, there: Stock) -> list[Gap]:
    """What can be sent at `home` and not at the other application, by name."""
    found = []
    for each in home.templates:
        if each.sms_type is SmsType.VERIFICATION:
            continue
        signed: Sequence[str | None] = [each.signature] if each.signature else [*sorted(home.signatures)] or [None]
        for name in signed:
            why = _counterpart(there, each.name, name, text.render(each.text, name, home.region))
            if isinstance(why, str):
                found.append(Gap(each.name, None if each.signature else name, why))
    return found


def _counterpart(there: Stock, name: str, signed: str | None, confirmed: str) -> Offered | str:
    """What makes the same text there, or why nothing does."""
    found = next((each for each in there.templates if each.name == name), None)
    if found is None:
        return "it has no approved template of that name"
    if signed is not None and signed not in there.signatures:
        return "it has no approved signature of that name"
    if found.signature not in (None, signed):
        return "its template belongs to another signature"
    if text.render(found.text, signed, there.region) != confirmed:
        return "its template has another text"
    return found
