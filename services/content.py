"""Applications with their signatures and templates: what may be sent, under whose name, and if not, why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from services.database import Database
from services.declarations import (
    ApplicationDeclaration,
    DeclaredApplication,
    SignatureDeclaration,
    TemplateDeclaration,
    declare_all,
)
from services.errors import NotAllowed, UnknownThing
from services.groups import name_key
from services.models import application, signature, template
from services.states import ApprovalStatus, ContentOrigin, Region, SmsType

__all__ = [
    "ApplicationDeclaration",
    "Choices",
    "Content",
    "DeclaredApplication",
    "NotShown",
    "Signature",
    "SignatureDeclaration",
    "Template",
    "TemplateDeclaration",
    "signatures_of",
    "template_by_id",
]

# Where a template may be used, but its own signature may not.
SIGNATURE_UNUSABLE = "signature"
TYPE_UNKNOWN = "type_unknown"
# Their API does not say of which SMS type a template is.
UNTYPED_CARRIERS = frozenset({"tencent"})


@dataclass(frozen=True, slots=True)
class Template:
    """A template with all a send task needs of it."""

    id: int
    name: str
    code: str
    sms_type: SmsType
    text: str
    application_id: int
    application: str
    region: Region
    signature_id: int | None
    signature: str | None

    @property
    def is_universal(self) -> bool:
        """Belongs to no signature: the sender chooses one of the application's."""
        return self.signature_id is None


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature; `name` without brackets, `sms_type` None where it signs texts of every type."""

    id: int
    name: str
    channel_number: str
    application_id: int
    sms_type: SmsType | None = None

    def signs(self, sms_type: SmsType) -> bool:
        """Whether it may stand before texts of this type."""
        return self.sms_type in (None, sms_type)


@dataclass(frozen=True, slots=True)
class NotShown:
    """What cannot be chosen, and `why`: its status, its SMS type where that is wrong, SIGNATURE_UNUSABLE or
    TYPE_UNKNOWN."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What a form offers, and what it does not."""

    templates: Sequence[Template]
    not_shown: Sequence[NotShown]


class Content:
    """What the carriers, or people with the role for it, have approved for a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def declare(
        self, workspace_id: str, applications: Sequence[ApplicationDeclaration]
    ) -> dict[str, DeclaredApplication]:
        """Make the tables say what the settings say; what is no longer there can no longer be chosen."""
        with self._database.write(workspace_id) as tx:
            known = declare_all(tx, self._database.bulk, workspace_id, applications)
            tx.commit()
        return known

    def declared(self) -> list[tuple[str, str, DeclaredApplication]]:
        """The workspace and the name of each application that was in the settings at the last start."""
        query = select(application).where(application.c.active).order_by(application.c.id)
        with self._database.read(everyone=True) as connection:
            rows = connection.execute(query).all()
        return [(row.workspace_id, row.name, DeclaredApplication(row.id, row.receipts_token)) for row in rows]

    def templates(self, workspace_id: str) -> list[Template]:
        """All that are approved, by name."""
        with self._database.read() as connection:
            return [as_template(row) for row in connection.execute(templates_query(workspace_id)) if _may_be_used(row)]

    def choices(self, workspace_id: str) -> Choices:
        """What a form of a send offers, and what it does not, by name."""
        shown, not_shown = [], []
        with self._database.read() as connection:
            rows = connection.execute(templates_query(workspace_id).where(application.c.active)).all()
        for row in rows:
            why = _why_not_shown(row)
            if why is None:
                shown.append(as_template(row))
            elif not is_out_of_settings(row):
                not_shown.append(NotShown(row.name, why))
        return Choices(shown, not_shown)

    def template(self, workspace_id: str, template_id: int) -> Template:
        """Raises NotAllowed: why it cannot be used, or "template_gone" where it is not there."""
        with self._database.read() as connection:
            row = connection.execute(templates_query(workspace_id).where(template.c.id == template_id)).first()
        if row is None:
            raise NotAllowed("template_gone")
        _refuse_unusable(row)
        return as_template(row)

    def find_template(self, workspace_id: str, name: str, application_name: str | None = None) -> Template:
        """The one that may be used. Raises UnknownThing only where there is none of that name; else NotAllowed:
        "several_applications", "template_other_application", "template_not_approved",
        "template_type_unknown" or "application_gone".
        """
        with self._database.read() as connection:
            rows = connection.execute(templates_query(workspace_id)).all()
            applications = _active_applications(connection, workspace_id)
        if application_name is not None and application_name not in applications:
            raise UnknownThing("application", application_name, applications)
        named = [row for row in rows if name_key(row.name) == name_key(name)]
        here = [row for row in named if application_name in (None, row.application)]
        found = [as_template(row) for row in here if _may_be_used(row)]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotAllowed("several_applications", template=name, applications=[each.application for each in found])
        for row in sorted(here, key=lambda each: not each.active):
            _refuse_unusable(row)
        elsewhere = [row.application for row in named if row.active]
        if elsewhere:
            raise NotAllowed(
                "template_other_application", template=name, applications=elsewhere, application=application_name
            )
        known = [row.name for row in rows if _may_be_used(row) and application_name in (None, row.application)]
        raise UnknownThing("template", name, known)

    def signatures(self, workspace_id: str, application_id: int) -> list[Signature]:
        """The approved signatures of an application, by name."""
        with self._database.read(workspace_id) as connection:
            return signatures_of(connection, application_id)

    def choose_signature(self, workspace_id: str, chosen: Template, name: str | None) -> Signature | None:
        """The template's own signature; for a universal template the named one, or the only one there is.

        None only where the application is international and has none. Raises UnknownThing, or NotAllowed:
        "other_signature", "signature_needed", "no_signature", "signature_other_application", "signature_not_approved"
        or "signature_type_differs".
        """
        with self._database.read() as connection:
            rows = connection.execute(_every_signature(workspace_id)).all()
        here = [row for row in rows if row.application_id == chosen.application_id]
        wanted = None if name is None else name.strip().strip("【】[]")
        if chosen.signature_id is not None:
            if wanted is not None and name_key(wanted) != name_key(chosen.signature or ""):
                raise NotAllowed("other_signature", template=chosen.name, signature=chosen.signature, wanted=wanted)
            return _usable(next(row for row in here if row.id == chosen.signature_id), chosen)
        if wanted is not None:
            return _usable(_named(rows, wanted, chosen), chosen)
        usable = [row for row in here if _may_sign(row, chosen)]
        if len(usable) == 1:
            return as_signature(usable[0])
        if usable:
            raise NotAllowed("signature_needed", template=chosen.name, signatures=[row.name for row in usable])
        if chosen.region is Region.MAINLAND:
            raise NotAllowed("no_signature", application=chosen.application, not_shown=_why_none_signs(here))
        return None


def template_by_id(connection: Connection, workspace_id: str, template_id: int) -> Template | None:
    """None where it is gone or can no longer be chosen."""
    row = connection.execute(templates_query(workspace_id).where(template.c.id == template_id)).first()
    return None if row is None or not _may_be_used(row) else as_template(row)


def signatures_of(connection: Connection, application_id: int) -> list[Signature]:
    """The approved signatures of an application, by name."""
    query = (
        select(signature)
        .where(signature.c.application_id == application_id, signature.c.status == ApprovalStatus.APPROVED.value)
        .order_by(signature.c.name)
    )
    return [as_signature(row) for row in connection.execute(query)]


def templates_query(workspace_id: str) -> Select[Any]:
    """Every template with its application and its signature, whatever their status, by name."""
    return (
        select(
            template,
            application.c.name.label("application"),
            application.c.region,
            application.c.active,
            application.c.carrier,
            signature.c.name.label("signature"),
            signature.c.status.label("signature_status"),
            signature.c.sms_type.label("signature_type"),
        )
        .join(application, application.c.id == template.c.application_id)
        .outerjoin(signature, signature.c.id == template.c.signature_id)
        .where(application.c.workspace_id == workspace_id)
        .order_by(template.c.name, application.c.name)
    )


def as_template(row: Row[Any]) -> Template:
    """Of a row of `templates_query`."""
    return Template(
        id=row.id,
        name=row.name,
        code=row.code,
        sms_type=SmsType(row.sms_type),
        text=row.text,
        application_id=row.application_id,
        application=row.application,
        region=Region(row.region),
        signature_id=row.signature_id,
        signature=row.signature,
    )


def as_signature(row: Row[Any]) -> Signature:
    """Of a row of the table."""
    sms_type = None if row.sms_type is None else SmsType(row.sms_type)
    return Signature(row.id, row.name, row.channel_number, row.application_id, sms_type)


def is_out_of_settings(row: Row[Any]) -> bool:
    """Whether it was in the settings once, and is no longer: forgotten but for the tasks it was sent with."""
    return bool(row.origin == ContentOrigin.SETTINGS and row.status == ApprovalStatus.DISABLED)


def type_is_unknown(row: Row[Any]) -> bool:
    """Whether neither its carrier, nor who applied for it, nor anybody since has said a template's SMS type.

    Of a row of `templates_query`. It counts as verification till then, which is sent to nobody.
    """
    return bool(
        row.origin == ContentOrigin.CARRIER
        and row.carrier in UNTYPED_CARRIERS
        and row.created_by is None
        and row.decided_by is None
    )


def _active_applications(connection: Connection, workspace_id: str) -> list[str]:
    query = select(application.c.name).where(application.c.workspace_id == workspace_id, application.c.active)
    return [*connection.execute(query.order_by(application.c.name)).scalars()]


def _may_be_used(row: Row[Any]) -> bool:
    return bool(row.active and row.status == ApprovalStatus.APPROVED and not type_is_unknown(row))


def _why_not_shown(row: Row[Any]) -> str | None:
    """Of an active application's template; None where it can be chosen."""
    if row.status != ApprovalStatus.APPROVED:
        return str(row.status)
    if type_is_unknown(row):
        return TYPE_UNKNOWN
    if row.sms_type == SmsType.VERIFICATION:
        return SmsType.VERIFICATION.value
    if row.signature_id is not None and (
        row.signature_status != ApprovalStatus.APPROVED or row.signature_type not in (None, row.sms_type)
    ):
        return SIGNATURE_UNUSABLE
    return None


def _refuse_unusable(row: Row[Any]) -> None:
    if not row.active:
        raise NotAllowed("application_gone", template=row.name, application=row.application)
    if row.status != ApprovalStatus.APPROVED:
        raise NotAllowed(
            "template_not_approved", template=row.name, status=row.status, reason=row.reason, origin=row.origin
        )
    if type_is_unknown(row):
        raise NotAllowed("template_type_unknown", template=row.name)


def _every_signature(workspace_id: str) -> Select[Any]:
    """Those of every active application, by name, whatever their status."""
    return (
        select(signature, application.c.name.label("application"))
        .join(application, application.c.id == signature.c.application_id)
        .where(application.c.workspace_id == workspace_id, application.c.active)
        .order_by(signature.c.name, application.c.name)
    )


def _named(rows: Sequence[Row[Any]], wanted: str, chosen: Template) -> Row[Any]:
    named = [row for row in rows if name_key(row.name) == name_key(wanted)]
    for row in named:
        if row.application_id == chosen.application_id:
            return row
    if named:
        raise NotAllowed(
            "signature_other_application",
            signature=wanted,
            applications=[row.application for row in named],
            template=chosen.name,
            application=chosen.application,
        )
    usable = [row.name for row in rows if row.application_id == chosen.application_id and _may_sign(row, chosen)]
    raise UnknownThing("signature", wanted, usable)


def _usable(row: Row[Any], chosen: Template) -> Signature:
    if row.status != ApprovalStatus.APPROVED:
        raise NotAllowed(
            "signature_not_approved", signature=row.name, status=row.status, reason=row.reason, origin=row.origin
        )
    if row.sms_type not in (None, chosen.sms_type):
        raise NotAllowed(
            "signature_type_differs",
            signature=row.name,
            signature_type=row.sms_type,
            template=chosen.name,
            template_type=chosen.sms_type.value,
        )
    return as_signature(row)


def _may_sign(row: Row[Any], chosen: Template) -> bool:
    return row.status == ApprovalStatus.APPROVED and as_signature(row).signs(chosen.sms_type)


def _why_none_signs(rows: Sequence[Row[Any]]) -> list[NotShown]:
    return [
        NotShown(row.name, row.status if row.status != ApprovalStatus.APPROVED else row.sms_type)
        for row in rows
        if not is_out_of_settings(row)
    ]
