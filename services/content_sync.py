"""Signatures and templates of carriers whose API lists them: their status is the carrier's word.

What people add here is applied for at the carrier by the next round. A round lists before it applies, and takes what it
finds under the same name for the one applied for, so that a round that died in between applies for nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Table, select, update

from services.carriers.ports import CarrierSignature, CarrierTemplate, SyncsContent
from services.clock import Clock
from services.content import is_out_of_settings
from services.content_lists import SIGNED_BY_NAME
from services.database import Database, insert_row
from services.errors import CarrierError, RequestRefused
from services.groups import NAME_LIMIT, name_key, tidy
from services.models import application, signature, template
from services.states import ApprovalStatus, ContentOrigin, SmsType

log = structlog.get_logger()

EVERY = timedelta(minutes=10)
# A round that takes longer begins anew at the next one; what it had applied for is found in the list then.
ROUND_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Applied:
    """A template that is to be applied for at its carrier; `signature` is the name of the one it belongs to."""

    id: int
    name: str
    text: str
    sms_type: str
    signature: str | None


@dataclass(frozen=True, slots=True)
class Round:
    """How the last round of an application went; `trouble` is the carrier's code where it did not answer."""

    at: datetime
    trouble: str | None


class ContentSync:
    """Asks every 10 minutes, and at once when told to. No database session is open while a carrier is asked."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        carriers: Mapping[int, SyncsContent],
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._carriers = carriers
        self._round_seconds = round_seconds
        self._is_wanted = True
        self._began: datetime | None = None
        self._rounds: dict[int, Round] = {}

    @property
    def has_carriers(self) -> bool:
        """Whether there is any to ask."""
        return bool(self._carriers)

    def wake(self) -> None:
        """Ask at the next tick."""
        self._is_wanted = True

    def last_round(self, application_id: int) -> Round | None:
        """None where it has not been asked since the start."""
        return self._rounds.get(application_id)

    async def tick(self) -> None:
        """Ask every carrier where it is time."""
        now = self._clock.now()
        is_due = self._began is None or now - self._began >= EVERY
        if not (self._is_wanted or is_due):
            return
        self._is_wanted, self._began = False, now
        await asyncio.gather(*map(self._refresh, self._carriers))

    async def _refresh(self, application_id: int) -> None:
        trouble = None
        try:
            async with asyncio.timeout(self._round_seconds):
                await self._ask(application_id, self._carriers[application_id])
        except TimeoutError:
            trouble = "timeout"
            log.warning("content.not_refreshed", application=application_id, code=trouble)
        except CarrierError as error:
            trouble = error.code
            log.warning("content.not_refreshed", application=application_id, code=error.code, reason=error.reason)
        except Exception:
            # One carrier's oddity is not to keep the others from being asked.
            trouble = "unexpected"
            log.exception("content.not_refreshed", application=application_id)
        self._rounds[application_id] = Round(self._clock.now(), trouble)

    async def _ask(self, application_id: int, carrier: SyncsContent) -> None:
        signatures = await carrier.list_signatures()
        templates = await carrier.list_templates()
        for wanted in await asyncio.to_thread(self.take_over, application_id, signatures, templates):
            try:
                code = await carrier.add_template(wanted.name, wanted.text, wanted.sms_type, wanted.signature)
            except RequestRefused as error:
                reason = f"{error.code}: {error.reason}"
                await asyncio.to_thread(self._answer, wanted, status=ApprovalStatus.REJECTED.value, reason=reason)
            else:
                await asyncio.to_thread(self._answer, wanted, code=code)

    def take_over(
        self, application_id: int, signatures: Sequence[CarrierSignature], templates: Sequence[CarrierTemplate]
    ) -> list[Applied]:
        """Make the tables say what the carrier says. What the settings declare stays as they have it.

        Returns the templates that are to be applied for.
        """
        with self._database.write(everyone=True) as tx:
            carrier = tx.execute(select(application.c.carrier).where(application.c.id == application_id)).scalar_one()
            signature_ids = _take_signatures(tx, application_id, signatures, by_name=carrier in SIGNED_BY_NAME)
            _take_templates(tx, application_id, templates, signature_ids)
            applied = _to_apply(tx, application_id)
            tx.commit()
        return applied

    def _answer(self, wanted: Applied, **values: Any) -> None:
        with self._database.write(everyone=True) as tx:
            this = update(template).where(template.c.id == wanted.id, template.c.code == "")
            tx.execute(this.values(**values, version=template.c.version + 1))
            tx.commit()


def _take_signatures(
    tx: Connection, application_id: int, listed: Sequence[CarrierSignature], *, by_name: bool
) -> dict[str, int]:
    """The ids of all that the application has, by the key of their name."""
    rows = _rows(tx, signature, application_id)
    known = {name_key(row.name): row for row in rows}
    seen = set()
    for each in listed:
        name = tidy(each.name)[:NAME_LIMIT]
        values = {
            "name": name,
            "channel_number": each.name if by_name else each.channel_number,
            "sms_type": each.sms_type,
            "status": ApprovalStatus(each.status).value,
            "reason": each.reason,
        }
        seen.add(_bring(tx, signature, application_id, known.get(name_key(name)), values))
    _disable_others(tx, signature, rows, seen)
    return {name_key(row.name): row.id for row in _rows(tx, signature, application_id)}


def _take_templates(
    tx: Connection, application_id: int, listed: Sequence[CarrierTemplate], signature_ids: Mapping[str, int]
) -> None:
    rows = _rows(tx, template, application_id)
    by_code = {row.code: row for row in rows if row.code}
    applied_for = {name_key(row.name): row for row in rows if _is_applied_for(row)}
    taken = {name_key(row.name): row.id for row in rows}
    seen = set()
    for each in listed:
        name = tidy(each.name)[:NAME_LIMIT] or each.code
        row = by_code.get(each.code) or applied_for.get(name_key(name))
        if taken.get(name_key(name)) not in (None, row.id if row else None):
            # People choose by name, so it must be another one.
            name = f"{name[: NAME_LIMIT - len(each.code) - 3]} ({each.code})"
        values = {
            "name": name,
            "code": each.code,
            "text": each.text,
            "sms_type": _sms_type(each, row),
            "signature_id": None if each.signature is None else signature_ids.get(name_key(each.signature)),
            "status": ApprovalStatus(each.status).value,
            "reason": each.reason,
        }
        template_id = _bring(tx, template, application_id, row, values)
        taken[name_key(name)] = template_id
        seen.add(template_id)
    # What the carrier was asked for a moment ago may not be listed yet.
    _disable_others(tx, template, [row for row in rows if not _is_applied_for(row)], seen)


def _sms_type(listed: CarrierTemplate, row: Row[Any] | None) -> str:
    """Where the carrier does not say it, what is known here; else the one that is sent to nobody."""
    if listed.sms_type is not None:
        return SmsType(listed.sms_type).value
    return SmsType.VERIFICATION.value if row is None else SmsType(row.sms_type).value


def _rows(tx: Connection, table: Table, application_id: int) -> Sequence[Row[Any]]:
    return tx.execute(select(table).where(table.c.application_id == application_id).order_by(table.c.id)).all()


def _is_applied_for(row: Row[Any]) -> bool:
    """Whether the carrier was, or is to be, asked for it, and has not said its code yet."""
    return bool(row.origin == ContentOrigin.CARRIER and not row.code)


def _bring(tx: Connection, table: Table, application_id: int, row: Row[Any] | None, values: dict[str, Any]) -> int:
    """Insert or update where anything differs; the id. What the settings declare is left as it is."""
    if row is None:
        first = {"application_id": application_id, "origin": ContentOrigin.CARRIER.value}
        return insert_row(tx, table.insert().values(**first, **values))
    row_id: int = row.id
    if row.origin == ContentOrigin.SETTINGS and not is_out_of_settings(row):
        return row_id
    values = {**values, "origin": ContentOrigin.CARRIER.value}
    if any(getattr(row, name) != value for name, value in values.items()):
        tx.execute(update(table).where(table.c.id == row_id).values(**values, version=table.c.version + 1))
    return row_id


def _disable_others(tx: Connection, table: Table, rows: Sequence[Row[Any]], seen: set[int]) -> None:
    """The carrier lists them no longer; one that is pending may be too new for its list."""
    for row in rows:
        is_gone = row.origin == ContentOrigin.CARRIER and row.id not in seen
        if is_gone and row.status in (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED):
            values = {"status": ApprovalStatus.DISABLED.value, "reason": None}
            tx.execute(update(table).where(table.c.id == row.id).values(**values, version=table.c.version + 1))


def _to_apply(tx: Connection, application_id: int) -> list[Applied]:
    rows = tx.execute(
        select(template, signature.c.name.label("signature"))
        .outerjoin(signature, signature.c.id == template.c.signature_id)
        .where(
            template.c.application_id == application_id,
            template.c.origin == ContentOrigin.CARRIER.value,
            template.c.status == ApprovalStatus.PENDING.value,
            template.c.code == "",
        )
        .order_by(template.c.id)
    ).all()
    return [Applied(row.id, row.name, row.text, row.sms_type, row.signature) for row in rows]
