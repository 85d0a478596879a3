"""What a send would be: checked, counted and kept as a draft, before anything is sendable."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, Subquery, and_, func, not_, select

from services import text
from services.clock import Clock
from services.content import Content, Signature, Template
from services.database import Database
from services.errors import NotAllowed, UnknownThing
from services.groups import Group, Groups, find_all
from services.models import application, customer_group, group_member, send_task, task_group, template
from services.resends import Resend, find_resend, recipients_again
from services.states import Region, SmsType, Source, TaskState

# A mainland mobile is +86 1xx xxxx xxxx; no other country's numbers begin with 86.
MAINLAND_FIRST = 86_10_000_000_000
MAINLAND_LAST = 86_19_999_999_999

MAINLAND_ZONE = ZoneInfo("Asia/Shanghai")
CIVIL_HOURS = (8, 21)


@dataclass(frozen=True, slots=True)
class SendRequest:
    """What a person asks to be sent. Names as typed; `at` aware, None for now."""

    groups: Sequence[str]
    template: str
    exclude: Sequence[str] = ()
    signature: str | None = None
    application: str | None = None
    at: datetime | None = None
    name: str | None = None
    resend: Resend | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a draft would do. `text` is exactly what arrives; `changed` names what differs from an earlier preview.

    `resend` says whose messages it sends again; there are no groups then.
    """

    draft_id: int
    groups: Sequence[str]
    excluded: Sequence[str]
    template: str
    sms_type: SmsType
    application: str
    region: Region
    signature: str | None
    text: str
    recipients: int
    outside_region: int
    segments_each: int
    at: datetime | None
    outside_hours: bool
    receipts_reach_us: bool
    changed: Sequence[str] = ()
    resend: Resend | None = None

    @property
    def segments(self) -> int:
        """Billed parts in all."""
        return self.segments_each * self.recipients


class Previews:
    """Makes drafts. `new_token` gives the part of a batch's reference that no other task has."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        groups: Groups,
        content: Content,
        *,
        receipts_reach_us: bool,
        new_token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._database = database
        self._clock = clock
        self._groups = groups
        self._content = content
        self._receipts_reach_us = receipts_reach_us
        self._new_token = new_token

    def draft(self, workspace_id: str, channel: str, by: str, wanted: SendRequest) -> Preview:
        """Check and count what is wanted, and keep it as a draft that `SendTasks.confirm` can make real.

        Raises UnknownThing or NotAllowed.
        """
        checked = self._check(workspace_id, wanted)
        chosen, signature = checked.template, checked.signature
        return Preview(
            draft_id=self._store(workspace_id, channel, by, wanted, checked),
            groups=[group.name for group in checked.groups],
            excluded=[group.name for group in checked.excluded],
            template=chosen.name,
            sms_type=chosen.sms_type,
            application=chosen.application,
            region=chosen.region,
            signature=signature.name if signature else None,
            text=checked.text,
            recipients=checked.recipients,
            outside_region=checked.outside_region,
            segments_each=text.segments(checked.text, chosen.region),
            at=wanted.at,
            outside_hours=chosen.region is Region.MAINLAND and is_outside_hours(wanted.at or self._clock.now()),
            receipts_reach_us=self._receipts_reach_us,
            resend=wanted.resend,
        )

    def draft_again(self, workspace_id: str, draft_id: int, by: str, *, copy_in: str | None = None) -> Preview:
        """The same wish, checked and counted afresh, as a new draft. Raises UnknownThing or NotAllowed.

        `copy_in` is the channel of a copy, which is to be sent now.
        """
        with self._database.read() as connection:
            row = connection.execute(
                select(send_task, template.c.name.label("template_name"), application.c.name.label("application_name"))
                .join(template, template.c.id == send_task.c.template_id)
                .join(application, application.c.id == send_task.c.application_id)
                .where(send_task.c.id == draft_id, send_task.c.workspace_id == workspace_id)
            ).first()
            # A group may be called otherwise by now.
            chosen = connection.execute(
                select(task_group.c.excluded, func.coalesce(customer_group.c.name, task_group.c.name).label("name"))
                .outerjoin(customer_group, customer_group.c.id == task_group.c.group_id)
                .where(task_group.c.task_id == draft_id)
            ).all()
            if row is None:
                raise UnknownThing("draft", str(draft_id))
            resend = find_resend(connection, row)
        wanted = SendRequest(
            groups=[each.name for each in chosen if not each.excluded],
            exclude=[each.name for each in chosen if each.excluded],
            template=row.template_name,
            signature=row.request_signature,
            application=row.application_name,
            at=None if copy_in else row.scheduled_at,
            name=row.name or None,
            resend=resend,
        )
        return self.draft(workspace_id, copy_in or row.channel, by, wanted)

    def _check(self, workspace_id: str, wanted: SendRequest) -> _Checked:
        chosen = self._content.find_template(workspace_id, wanted.template, wanted.application)
        groups = find_all(self._groups, workspace_id, wanted.groups)
        excluded = find_all(self._groups, workspace_id, wanted.exclude)
        check_types(chosen, groups)
        signature = self._content.choose_signature(chosen, wanted.signature)
        with self._database.read() as connection:
            if wanted.resend is not None:
                again = recipients_again(wanted.resend.task_id, wanted.resend.state).subquery()
                recipients, outside = _count_inside(connection, again, chosen.region)
                if recipients == 0:
                    raise NotAllowed("nothing_to_resend", number=wanted.resend.task, what=wanted.resend.state.value)
            else:
                recipients, outside = count_recipients(connection, groups, excluded, chosen.region)
        if recipients == 0:
            raise NotAllowed("no_recipients", groups=[group.name for group in groups], outside_region=outside)
        return _Checked(
            template=chosen,
            signature=signature,
            groups=groups,
            excluded=excluded,
            text=text.render(chosen.text, signature.name if signature else None, chosen.region),
            recipients=recipients,
            outside_region=outside,
        )

    def _store(self, workspace_id: str, channel: str, by: str, wanted: SendRequest, checked: _Checked) -> int:
        chosen, signature = checked.template, checked.signature
        values = {
            "workspace_id": workspace_id,
            "token": self._new_token(),
            "name": wanted.name or "",
            "state": TaskState.DRAFT.value,
            "channel": channel,
            "application_id": chosen.application_id,
            "template_id": chosen.id,
            "signature_id": signature.id if signature else None,
            "template_code": chosen.code,
            "sender": signature.channel_number if signature else "",
            "request_signature": signature.name if signature and chosen.is_universal else None,
            "text": checked.text,
            "segments_each": text.segments(checked.text, chosen.region),
            "recipients": checked.recipients,
            "outside_region": checked.outside_region,
            "created_by": by,
            "created_at": self._clock.now(),
            "scheduled_at": wanted.at,
        }
        if wanted.resend is not None:
            values |= {
                "source": Source.RESEND.value,
                "resend_of": wanted.resend.task_id,
                "resend_state": wanted.resend.state.value,
            }
        with self._database.write() as tx:
            inserted = tx.execute(send_task.insert().values(**values)).inserted_primary_key
            assert inserted is not None
            task_id: int = inserted[0]
            for group, is_excluded in [*((g, False) for g in checked.groups), *((g, True) for g in checked.excluded)]:
                chosen_group = {"group_id": group.id, "excluded": is_excluded, "name": group.name, "size": group.size}
                tx.execute(task_group.insert().values(task_id=task_id, **chosen_group))
            tx.commit()
        return task_id


@dataclass(frozen=True, slots=True)
class _Checked:
    template: Template
    signature: Signature | None
    groups: Sequence[Group]
    excluded: Sequence[Group]
    text: str
    recipients: int
    outside_region: int


def check_types(chosen: Template, groups: Sequence[Group]) -> None:
    """Raises NotAllowed where the template cannot be sent to these groups, whatever else is right."""
    if chosen.sms_type is SmsType.VERIFICATION:
        raise NotAllowed("verification_template", template=chosen.name)
    if variables := text.variables(chosen.text):
        raise NotAllowed("template_has_variables", template=chosen.name, variables=variables)
    for group in groups:
        if group.sms_type is not chosen.sms_type:
            raise NotAllowed(
                "sms_type_differs",
                group=group.name,
                group_type=group.sms_type.value,
                template=chosen.name,
                template_type=chosen.sms_type.value,
            )


def is_outside_hours(moment: datetime) -> bool:
    """Outside 08:00–21:00 in mainland China, where the consoles advise not to send."""
    hour = moment.astimezone(MAINLAND_ZONE).hour
    return not CIVIL_HOURS[0] <= hour < CIVIL_HOURS[1]


def members(group_ids: Sequence[int], excluded_ids: Sequence[int]) -> Select[Any]:
    """The numbers of any of the groups and none of the excluded ones, each once."""
    query = select(group_member.c.number).where(group_member.c.group_id.in_(group_ids))
    if len(group_ids) > 1:
        query = query.distinct()
    if excluded_ids:
        other = group_member.alias()
        is_excluded = select(other.c.number).where(
            other.c.number == group_member.c.number, other.c.group_id.in_(excluded_ids)
        )
        query = query.where(~is_excluded.exists())
    return query


def in_region(number: ColumnElement[int], region: Region) -> ColumnElement[bool]:
    """Whether an application of this region may send to the number."""
    mainland = and_(number >= MAINLAND_FIRST, number <= MAINLAND_LAST)
    return mainland if region is Region.MAINLAND else not_(mainland)


def count_recipients(
    connection: Connection, groups: Sequence[Group], excluded: Sequence[Group], region: Region
) -> tuple[int, int]:
    """How many numbers would be sent to, and how many are left out because the application may not send there."""
    return _count_inside(connection, members([g.id for g in groups], [g.id for g in excluded]).subquery(), region)


def _count_inside(connection: Connection, chosen: Subquery, region: Region) -> tuple[int, int]:
    row = connection.execute(
        select(
            func.count().label("all"), func.count().filter(in_region(chosen.c.number, region)).label("inside")
        ).select_from(chosen)
    ).one()
    return row.inside, row.all - row.inside
