"""Applications with their signatures and templates: what may be sent, and under whose name."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, select, update

from services.database import Database
from services.errors import NotAllowed, UnknownThing
from services.models import application, signature, template, workspace
from services.states import Region, SmsType

APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class SignatureDeclaration:
    """As written in the settings: the approved name without brackets, and its channel number."""

    name: str
    channel_number: str


@dataclass(frozen=True, slots=True)
class TemplateDeclaration:
    """As written in the settings. `code` is the carrier's template id; without `signature` it is universal."""

    name: str
    code: str
    sms_type: SmsType
    text: str
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class ApplicationDeclaration:
    """An application of the settings, without its credentials, which never enter the database."""

    name: str
    carrier: str
    region: Region
    signatures: Sequence[SignatureDeclaration] = ()
    templates: Sequence[TemplateDeclaration] = ()
    receipt_window_hours: int = 72


@dataclass(frozen=True, slots=True)
class DeclaredApplication:
    """What the database knows of a declared application; `receipts_token` guards the address of its receipts."""

    id: int
    receipts_token: str


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template with all a send task needs of it."""

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
    """An approved signature; `name` without brackets."""

    id: int
    name: str
    channel_number: str
    application_id: int


class Content:
    """What the carriers have approved for a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def declare(
        self, workspace_id: str, applications: Sequence[ApplicationDeclaration]
    ) -> dict[str, DeclaredApplication]:
        """Make the tables say what the settings say; what is no longer there can no longer be chosen."""
        known = {}
        with self._database.write() as tx:
            _upsert(tx, workspace, {"id": workspace_id}, {})
            tx.execute(update(application).where(application.c.workspace_id == workspace_id).values(active=False))
            for declared in applications:
                known[declared.name] = _declare(tx, workspace_id, declared)
            tx.commit()
        return known

    def declared(self) -> list[tuple[str, str, DeclaredApplication]]:
        """The workspace and the name of each application that was in the settings at the last start."""
        query = select(application).where(application.c.active).order_by(application.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [(row.workspace_id, row.name, DeclaredApplication(row.id, row.receipts_token)) for row in rows]

    def templates(self, workspace_id: str) -> list[Template]:
        """All that can be chosen, by name."""
        with self._database.read() as connection:
            return [_template(row) for row in connection.execute(_templates(workspace_id))]

    def find_template(self, workspace_id: str, name: str, application_name: str | None = None) -> Template:
        """Raises UnknownThing; NotAllowed("several_applications") where more than one application has the name."""
        known = self.templates(workspace_id)
        applications = sorted({each.application for each in known})
        if application_name is not None and application_name not in applications:
            raise UnknownThing("application", application_name, applications)
        of_application = [each for each in known if application_name in (None, each.application)]
        found = [each for each in of_application if each.name.casefold() == name.strip().casefold()]
        if not found:
            raise UnknownThing("template", name, [each.name for each in of_application])
        if len(found) > 1:
            raise NotAllowed("several_applications", template=name, applications=[each.application for each in found])
        return found[0]

    def signatures(self, application_id: int) -> list[Signature]:
        """The approved signatures of an application, by name."""
        with self._database.read() as connection:
            return signatures_of(connection, application_id)

    def choose_signature(self, chosen: Template, name: str | None) -> Signature | None:
        """The template's own signature; for a universal template the named one, or the only one there is.

        None only where the application is international and has none. Raises UnknownThing, or
        NotAllowed("other_signature" | "signature_needed" | "no_signature").
        """
        known = {each.name: each for each in self.signatures(chosen.application_id)}
        wanted = None if name is None else name.strip().strip("【】[]")
        if chosen.signature is not None:
            if wanted not in (None, chosen.signature):
                raise NotAllowed("other_signature", template=chosen.name, signature=chosen.signature, wanted=wanted)
            if chosen.signature not in known:
                raise NotAllowed("no_signature", application=chosen.application)
            return known[chosen.signature]
        if wanted is not None:
            if wanted not in known:
                raise UnknownThing("signature", wanted, list(known))
            return known[wanted]
        if len(known) == 1:
            return next(iter(known.values()))
        if known:
            raise NotAllowed("signature_needed", template=chosen.name, signatures=list(known))
        if chosen.region is Region.MAINLAND:
            raise NotAllowed("no_signature", application=chosen.application)
        return None


def template_by_id(connection: Connection, workspace_id: str, template_id: int) -> Template | None:
    """None where it is gone or can no longer be chosen."""
    row = connection.execute(_templates(workspace_id).where(template.c.id == template_id)).first()
    return None if row is None else _template(row)


def signatures_of(connection: Connection, application_id: int) -> list[Signature]:
    """The approved signatures of an application, by name."""
    query = (
        select(signature)
        .where(signature.c.application_id == application_id, signature.c.status == APPROVED)
        .order_by(signature.c.name)
    )
    return [Signature(row.id, row.name, row.channel_number, row.application_id) for row in connection.execute(query)]


def _templates(workspace_id: str) -> Any:
    return (
        select(
            template,
            application.c.name.label("application"),
            application.c.region,
            signature.c.name.label("signature"),
        )
        .join(application, application.c.id == template.c.application_id)
        .outerjoin(signature, signature.c.id == template.c.signature_id)
        .where(application.c.workspace_id == workspace_id, application.c.active, template.c.status == APPROVED)
        .order_by(template.c.name, application.c.name)
    )


def _template(row: Row[Any]) -> Template:
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


def _declare(tx: Connection, workspace_id: str, declared: ApplicationDeclaration) -> DeclaredApplication:
    application_id = _upsert(
        tx,
        application,
        {"workspace_id": workspace_id, "name": declared.name},
        {
            "carrier": declared.carrier,
            "region": declared.region.value,
            "active": True,
            "receipt_window_hours": declared.receipt_window_hours,
        },
        first_values={"receipts_token": secrets.token_urlsafe(24)},
    )
    for table in (signature, template):
        tx.execute(update(table).where(table.c.application_id == application_id).values(status="disabled"))
    signature_ids = {
        each.name: _upsert(
            tx,
            signature,
            {"application_id": application_id, "name": each.name},
            {"channel_number": each.channel_number, "status": APPROVED},
        )
        for each in declared.signatures
    }
    for item in declared.templates:
        signature_id = None if item.signature is None else signature_ids[item.signature]
        _upsert(
            tx,
            template,
            {"application_id": application_id, "name": item.name},
            {
                "signature_id": signature_id,
                "code": item.code,
                "sms_type": item.sms_type.value,
                "text": item.text,
                "status": APPROVED,
            },
        )
    token = tx.execute(select(application.c.receipts_token).where(application.c.id == application_id)).scalar_one()
    return DeclaredApplication(application_id, token)


def _upsert(
    tx: Connection,
    table: Table,
    key: dict[str, Any],
    values: dict[str, Any],
    first_values: dict[str, Any] | None = None,
) -> int:
    matches = and_(*(table.c[name] == value for name, value in key.items()))
    found = tx.execute(select(table.c.id).where(matches)).scalar_one_or_none()
    if found is None:
        inserted = tx.execute(table.insert().values(**key, **values, **(first_values or {}))).inserted_primary_key
        assert inserted is not None
        return inserted[0]  # type: ignore[no-any-return]
    if values:
        tx.execute(update(table).where(table.c.id == found).values(**values))
    return found  # type: ignore[no-any-return]
