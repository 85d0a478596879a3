"""What a send would be: checked, counted and kept as a draft, before anything is sendable."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, select

from services import text
from services.audiences import Audience, heeds_opt_outs
from services.carriers.ports import Limits
from services.clock import Clock
from services.content import Content, Signature, Template
from services.database import Database, insert_row
from services.entries import CheckedLines, Entries
from services.errors import NotAllowed, UnknownThing
from services.groups import Group, Groups, find_all, name_key
from services.hours import may_send, next_allowed
from services.import_records import Purpose
from services.models import application, customer_group, import_row, number_import, send_task, task_group, template
from services.overlaps import count_overlap
from services.resends import Resend, find_resend, recipients_again, resent_in
from services.states import ImportState, Region, SmsType, Source, TaskState
from services.surveys import MissingRow, Survey, survey
from services.variables import Columns, find_columns, to_json


@dataclass(frozen=True, slots=True)
class SendRequest:
    """What a person asks to be sent. Names as typed; `at` aware, None for now.

    `groups` are those of source GROUPS, `import_id` the file of FILE or the numbers of TYPED, which come as `lines`
    where they have just been typed, `resend` the messages of RESEND. `without_missing` leaves out the rows that lack a
    value for a variable.
    """

    groups: Sequence[str]
    template: str
    exclude: Sequence[str] = ()
    signature: str | None = None
    application: str | None = None
    at: datetime | None = None
    name: str | None = None
    source: Source = Source.GROUPS
    import_id: int | None = None
    lines: CheckedLines | None = None
    without_missing: bool = False
    resend: Resend | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What the application's settings make of the segments."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a draft would do. `text` is exactly what arrives, but for its variables; `changed` names what differs from
    an earlier preview.

    `samples` are numbers with what arrives there. Each count of numbers left out is for one reason, and `missing`
    counts rows without all values by variable; nothing can be sent before they are left out. `outside_hours` counts
    messages that come at an uncivil hour, `overlap` numbers that got another promotional SMS within 24 hours.
    `resent` are the numbers of the tasks that have sent a resend's messages again already.
    `allowed_from` is there where carriers refuse such a text at this hour. `takes` is None where the rate is not known.
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
    outside_hours: int
    receipts_reach_us: bool
    changed: Sequence[str] = ()
    source: Source = Source.GROUPS
    file: str | None = None
    resend: Resend | None = None
    resent: Sequence[int] = ()
    name: str = ""
    numbers: int = 0
    segments: int = 0
    samples: Sequence[tuple[int, str]] = ()
    variables: Sequence[str] = ()
    in_excluded: int = 0
    opted_out: int = 0
    duplicates: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    missing_count: int = 0
    missing_rows: Sequence[MissingRow] = ()
    without_missing: bool = False
    countries: Sequence[tuple[str | None, int]] = ()
    price: Price | None = None
    takes: timedelta | None = None
    requests_per_second: float = 0
    overlap: int = 0
    allowed_from: datetime | None = None

    @property
    def lacks_values(self) -> bool:
        """Whether rows without all values stand in the way."""
        return bool(self.missing_count) and not self.without_missing


@dataclass(frozen=True, slots=True)
class Checked:
    """A wish that can be counted: everything it names is there and goes together."""

    wanted: SendRequest
    template: Template
    signature: Signature | None
    audience: Audience
    text: str
    columns: Columns | None
    resent: Sequence[int] = ()


class Previews:
    """Makes drafts. `new_token` gives the part of a batch's reference that no other task has; `numbers_per_request` how
    many numbers a request of each application takes.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        groups: Groups,
        content: Content,
        *,
        receipts_reach_us: bool,
        numbers_per_request: Mapping[int, Limits] | None = None,
        new_token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._database = database
        self._clock = clock
        self._groups = groups
        self._content = content
        self._entries = Entries(database, clock)
        self._receipts_reach_us = receipts_reach_us
        self._numbers_per_request = numbers_per_request or {}
        self._new_token = new_token

    def draft(self, workspace_id: str, channel: str, by: str, wanted: SendRequest) -> Preview:
        """Check and count what is wanted, and keep it as a draft that `Confirmations.confirm` can make real.

        Raises UnknownThing or NotAllowed.
        """
        return self.draft_checked(channel, by, self.check(workspace_id, wanted))

    def check(self, workspace_id: str, wanted: SendRequest) -> Checked:
        """Find all that is named, and see that it goes together; quick, where counting may take seconds.

        Raises UnknownThing or NotAllowed.
        """
        chosen = self._content.find_template(workspace_id, wanted.template, wanted.application)
        if chosen.sms_type is SmsType.VERIFICATION:
            raise NotAllowed("verification_template", template=chosen.name)
        audience = self._audience(workspace_id, wanted, chosen)
        signature = self._content.choose_signature(workspace_id, chosen, wanted.signature)
        names = text.variables(chosen.text)
        with self._database.read(workspace_id) as connection:
            columns = find_columns(connection, audience, chosen.name, names) if names else None
            again = audience.resend
            resent = resent_in(connection, again.task_id, again.state) if again else []
        return Checked(
            wanted=wanted,
            template=chosen,
            signature=signature,
            audience=audience,
            text=text.render(chosen.text, signature.name if signature else None, chosen.region),
            columns=columns,
            resent=resent,
        )

    def draft_checked(self, channel: str, by: str, checked: Checked) -> Preview:
        """Count it and keep it as a draft. Raises NotAllowed("no_recipients")."""
        if checked.wanted.lines is not None:
            checked = self._with_lines_stored(channel, by, checked)
        audience, sms_type, now = checked.audience, checked.template.sms_type, self._clock.now()
        with self._database.read(audience.workspace_id) as connection:
            found = survey(connection, audience, checked.text, checked.columns)
            overlap = count_overlap(connection, audience, sms_type, now)
            rate = connection.execute(
                select(application).where(application.c.id == checked.template.application_id)
            ).one()
        if found.recipients == 0:
            raise _nobody(audience, found)
        draft_id = self._store(channel, by, checked, found)
        return self._preview(draft_id, checked, found, rate, overlap)

    def draft_again(self, workspace_id: str, draft_id: int, by: str, **changes: Any) -> Preview:
        """The same wish with these fields changed, checked and counted afresh, as a new draft.

        Raises UnknownThing or NotAllowed.
        """
        with self._database.read() as connection:
            wanted, channel = _wanted(connection, workspace_id, draft_id)
        return self.draft(workspace_id, channel, by, replace(wanted, **changes))

    def wanted(self, workspace_id: str, task_id: int) -> SendRequest:
        """What a draft or task was asked for, to ask for it again. Raises UnknownThing("draft")."""
        with self._database.read() as connection:
            return _wanted(connection, workspace_id, task_id)[0]

    def _audience(self, workspace_id: str, wanted: SendRequest, chosen: Template) -> Audience:
        excluded = find_all(self._groups, workspace_id, wanted.exclude)
        with self._database.read() as connection:
            opt_outs = heeds_opt_outs(connection, workspace_id, chosen.sms_type)
        found = Audience(workspace_id, chosen.region, wanted.source, (), excluded, heeds_opt_outs=opt_outs)
        if wanted.resend is not None:
            return replace(found, resend=wanted.resend, size=self._count_again(workspace_id, wanted.resend))
        if wanted.lines is not None:
            return replace(found, size=len(wanted.lines.right))
        if wanted.source in (Source.FILE, Source.TYPED):
            with self._database.read() as connection:
                file = _import(connection, workspace_id, wanted)
                query = select(func.count()).where(import_row.c.import_id == file.id)
                size = connection.execute(query).scalar_one()
            name = file.file_name if wanted.source is Source.FILE else None
            return replace(found, import_id=file.id, file=name, size=size)
        if wanted.source is Source.POOL:
            groups = [each for each in self._groups.list(workspace_id) if each.sms_type is chosen.sms_type]
        else:
            groups = find_all(self._groups, workspace_id, wanted.groups)
            _check_types(chosen, groups)
        return replace(found, groups=groups, size=sum(group.size for group in groups))

    def _count_again(self, workspace_id: str, resend: Resend) -> int:
        again = recipients_again(resend.task_id, resend.state).subquery()
        with self._database.read(workspace_id) as connection:
            size: int = connection.execute(select(func.count()).select_from(again)).scalar_one()
        if size == 0:
            raise NotAllowed("nothing_to_resend", number=resend.task, what=resend.state.value)
        return size

    def _with_lines_stored(self, channel: str, by: str, checked: Checked) -> Checked:
        assert checked.wanted.lines is not None
        audience = checked.audience
        import_id = self._entries.keep_for_send(audience.workspace_id, checked.wanted.lines, channel, by)
        return replace(checked, audience=replace(audience, import_id=import_id))

    def _store(self, channel: str, by: str, checked: Checked, found: Survey) -> int:
        chosen, signature, wanted, audience = checked.template, checked.signature, checked.wanted, checked.audience
        values = {
            "workspace_id": audience.workspace_id,
            "token": self._new_token(),
            "name": wanted.name or "",
            "name_key": name_key(wanted.name or ""),
            "state": TaskState.DRAFT.value,
            "channel": channel,
            "application_id": chosen.application_id,
            "template_id": chosen.id,
            "signature_id": signature.id if signature else None,
            "template_code": chosen.code,
            "sender": signature.channel_number if signature else "",
            "request_signature": signature.name if signature and chosen.is_universal else None,
            "text": checked.text,
            "variables": to_json(checked.columns.names) if checked.columns else None,
            "source": audience.source.value,
            "import_id": audience.import_id,
            "resend_of": audience.resend.task_id if audience.resend else None,
            "resend_state": audience.resend.state.value if audience.resend else None,
            "resends_seen": max(checked.resent, default=0),
            "segments_each": found.segments_each,
            "segments": found.segments,
            "recipients": found.recipients,
            "distinct_numbers": found.numbers,
            "outside_region": found.left.outside_region,
            "opted_out": found.left.opted_out,
            "without_missing": wanted.without_missing,
            "created_by": by,
            "created_at": self._clock.now(),
            "scheduled_at": wanted.at,
        }
        chosen_groups = [*((each, False) for each in audience.groups), *((each, True) for each in audience.excluded)]
        with self._database.write() as tx:
            task_id = insert_row(tx, send_task.insert().values(**values))
            # A group that is left out of what it is in itself is only left out.
            for group, is_excluded in {group.id: (group, left_out) for group, left_out in chosen_groups}.values():
                row = {"group_id": group.id, "excluded": is_excluded, "name": group.name, "size": group.size}
                row |= {"name_key": name_key(group.name), "members_version": group.members_version}
                tx.execute(task_group.insert().values(task_id=task_id, **row))
            tx.commit()
        return task_id

    def _preview(self, draft_id: int, checked: Checked, found: Survey, rate: Row[Any], overlap: int) -> Preview:
        chosen, signature, audience, wanted = checked.template, checked.signature, checked.audience, checked.wanted
        at = wanted.at or self._clock.now()
        per_second = rate.requests_per_second * self._numbers_in_a_request(checked)
        names = [] if audience.source is Source.POOL else [group.name for group in audience.groups]
        return Preview(
            draft_id=draft_id,
            groups=names,
            excluded=[group.name for group in audience.excluded],
            template=chosen.name,
            sms_type=chosen.sms_type,
            application=chosen.application,
            region=chosen.region,
            signature=signature.name if signature else None,
            text=checked.text,
            recipients=found.recipients,
            outside_region=found.left.outside_region,
            segments_each=found.segments_each,
            at=wanted.at,
            outside_hours=found.outside_hours(at),
            receipts_reach_us=self._receipts_reach_us,
            source=audience.source,
            file=audience.file,
            resend=audience.resend,
            resent=checked.resent,
            name=wanted.name or "",
            numbers=found.numbers,
            segments=found.segments,
            samples=found.samples,
            variables=checked.columns.names if checked.columns else (),
            in_excluded=found.left.excluded,
            opted_out=found.left.opted_out,
            duplicates=found.duplicates,
            missing=found.missing,
            missing_count=found.missing_count,
            missing_rows=found.missing_rows,
            without_missing=wanted.without_missing,
            countries=found.countries,
            price=_price(rate, found.segments),
            takes=timedelta(seconds=found.recipients / per_second) if per_second else None,
            requests_per_second=rate.requests_per_second,
            overlap=overlap,
            allowed_from=None if may_send(chosen.sms_type, chosen.region, at) else next_allowed(at),
        )

    def _numbers_in_a_request(self, checked: Checked) -> int:
        """0 where nobody has told."""
        most = self._numbers_per_request.get(checked.template.application_id)
        if most is None:
            return 0
        return most.plain if checked.columns is None else most.with_values


def _check_types(chosen: Template, groups: Sequence[Group]) -> None:
    """Raises NotAllowed where the template cannot be sent to one of these groups."""
    for group in groups:
        if group.sms_type is not chosen.sms_type:
            raise NotAllowed(
                "sms_type_differs",
                group=group.name,
                group_type=group.sms_type.value,
                template=chosen.name,
                template_type=chosen.sms_type.value,
            )


def _nobody(audience: Audience, found: Survey) -> NotAllowed:
    return NotAllowed(
        "no_recipients",
        source=audience.source,
        groups=[group.name for group in audience.groups],
        file=audience.file,
        outside_region=found.left.outside_region,
        excluded=found.left.excluded,
        opted_out=found.left.opted_out,
        missing=found.missing,
        missing_count=found.missing_count,
    )


def _import(connection: Connection, workspace_id: str, wanted: SendRequest) -> Row[Any]:
    """A file or numbers for one send, read to the end. Raises UnknownThing("send file" | "typed numbers")."""
    query = select(number_import).where(
        number_import.c.id == wanted.import_id,
        number_import.c.workspace_id == workspace_id,
        number_import.c.purpose == Purpose.SEND.value,
        number_import.c.state == ImportState.DONE.value,
        number_import.c.forgotten_at.is_(None),
    )
    row = connection.execute(query).first()
    if row is None:
        if wanted.source is Source.TYPED:
            raise UnknownThing("typed numbers", str(wanted.import_id))
        raise UnknownThing("send file", str(wanted.import_id))
    return row


def _price(rate: Row[Any], segments: int) -> Price | None:
    if rate.price_per_segment is None:
        return None
    return Price(Decimal(rate.price_per_segment) * segments, rate.currency or "")


def _wanted(connection: Connection, workspace_id: str, task_id: int) -> tuple[SendRequest, str]:
    """The wish behind a draft or task, with the names as they are now, and its channel."""
    row = connection.execute(
        select(send_task, template.c.name.label("template_name"), application.c.name.label("application_name"))
        .join(template, template.c.id == send_task.c.template_id)
        .join(application, application.c.id == send_task.c.application_id)
        .where(send_task.c.id == task_id, send_task.c.workspace_id == workspace_id)
    ).first()
    if row is None:
        raise UnknownThing("draft", str(task_id))
    name = func.coalesce(customer_group.c.name, task_group.c.name).label("name")
    groups = connection.execute(
        select(name, task_group.c.excluded)
        .outerjoin(customer_group, customer_group.c.id == task_group.c.group_id)
        .where(task_group.c.task_id == task_id)
        .order_by(task_group.c.group_id)
    ).all()
    source = Source(row.source)
    wanted = SendRequest(
        groups=[each.name for each in groups if not each.excluded] if source is Source.GROUPS else [],
        exclude=[each.name for each in groups if each.excluded],
        template=row.template_name,
        signature=row.request_signature,
        application=row.application_name,
        at=row.scheduled_at,
        name=row.name or None,
        source=source,
        import_id=row.import_id,
        without_missing=row.without_missing,
        resend=find_resend(connection, row),
    )
    return wanted, row.channel
