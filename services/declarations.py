"""What the settings say of applications, brought into the tables at every start."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Table, select, update

from services.bulk import BulkWriter
from services.database import insert_row
from services.groups import name_key
from services.models import application, signature, template, workspace
from services.states import ApprovalStatus, ContentOrigin, Region, SmsType


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
    requests_per_second: float = 50
    price_per_segment: Decimal | None = None
    currency: str | None = None
    receipt_window_hours: int = 72


@dataclass(frozen=True, slots=True)
class DeclaredApplication:
    """What the database knows of a declared application; `receipts_token` guards the address of its receipts."""

    id: int
    receipts_token: str


def declare_all(
    tx: Connection, bulk: BulkWriter, workspace_id: str, applications: Sequence[ApplicationDeclaration]
) -> dict[str, DeclaredApplication]:
    """Make the tables say what the settings say. What was added in Slack or came from a carrier stays as it is."""
    bulk.insert_new(tx, workspace, ["id"], [(workspace_id,)])
    # Of several processes that start at the same moment, the others wait here and find what the first has entered.
    tx.execute(select(workspace.c.id).where(workspace.c.id == workspace_id).with_for_update(key_share=True))
    tx.execute(update(application).where(application.c.workspace_id == workspace_id).values(active=False))
    return {declared.name: _declare(tx, workspace_id, declared) for declared in applications}


def _declare(tx: Connection, workspace_id: str, declared: ApplicationDeclaration) -> DeclaredApplication:
    known = _application(tx, workspace_id, declared)
    for table in (signature, template):
        # Those that are still in the settings are approved again below.
        tx.execute(
            update(table)
            .where(table.c.application_id == known.id, table.c.origin == ContentOrigin.SETTINGS.value)
            .values(status=ApprovalStatus.DISABLED.value)
        )
    signatures = _Rows(tx, signature, known.id)
    signature_ids = {
        each.name: signatures.put(each.name, {"channel_number": each.channel_number, "sms_type": None})
        for each in declared.signatures
    }
    templates = _Rows(tx, template, known.id)
    for item in declared.templates:
        values = {
            "signature_id": None if item.signature is None else signature_ids[item.signature],
            "code": item.code,
            "sms_type": item.sms_type.value,
            "text": item.text,
        }
        templates.put(item.name, values)
    return known


def _application(tx: Connection, workspace_id: str, declared: ApplicationDeclaration) -> DeclaredApplication:
    values = {
        "carrier": declared.carrier,
        "region": declared.region.value,
        "active": True,
        "requests_per_second": declared.requests_per_second,
        "price_per_segment": None if declared.price_per_segment is None else str(declared.price_per_segment),
        "currency": declared.currency,
        "receipt_window_hours": declared.receipt_window_hours,
    }
    key = (application.c.workspace_id == workspace_id, application.c.name == declared.name)
    found = tx.execute(select(application.c.id, application.c.receipts_token).where(*key)).first()
    if found is not None:
        tx.execute(update(application).where(application.c.id == found.id).values(**values))
        return DeclaredApplication(found.id, found.receipts_token)
    token = secrets.token_urlsafe(24)
    made = application.insert().values(workspace_id=workspace_id, name=declared.name, receipts_token=token, **values)
    return DeclaredApplication(insert_row(tx, made), token)


class _Rows:
    """An application's signatures or templates by name, whatever its case, as people type it."""

    def __init__(self, tx: Connection, table: Table, application_id: int) -> None:
        self._tx = tx
        self._table = table
        self._application_id = application_id
        rows = tx.execute(select(table.c.id, table.c.name).where(table.c.application_id == application_id)).all()
        self._by_key: dict[str, int] = {name_key(row.name): row.id for row in rows}
        self._by_name: dict[str, int] = {row.name: row.id for row in rows}

    def put(self, name: str, values: dict[str, Any]) -> int:
        """Approved, as the settings have it; one that was added in Slack under this name becomes theirs."""
        approved = {
            "name": name,
            "status": ApprovalStatus.APPROVED.value,
            "reason": None,
            "origin": ContentOrigin.SETTINGS.value,
            **values,
        }
        table = self._table
        found = self._by_name.get(name, self._by_key.get(name_key(name)))
        if found is not None:
            # A post in a channel may still ask for its approval.
            changed = {**approved, "version": table.c.version + 1}
            self._tx.execute(update(table).where(table.c.id == found).values(**changed))
            return found
        return insert_row(self._tx, table.insert().values(application_id=self._application_id, **approved))
