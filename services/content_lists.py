"""Lists of applications, signatures and templates with where they stand, in pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row, Select, func, select

from services.content import (
    UNTYPED_CARRIERS,
    Signature,
    Template,
    as_signature,
    as_template,
    is_out_of_settings,
    templates_query,
    type_is_unknown,
)
from services.database import Database
from services.elsewhere import Gap, gaps, stock_of
from services.errors import UnknownThing
from services.groups import name_key
from services.models import application, signature, template
from services.states import ApprovalStatus, ContentOrigin, Region

T = TypeVar("T")

# Any text may be sent, so nobody there approves it, and it has no code.
_FREE_TEXT = frozenset({"twilio", "kannel"})
# A signature is asked for by its name; it has no channel number.
SIGNED_BY_NAME = frozenset({"tencent"})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a signature or a template stands, and whose word that is.

    `created_by` wrote what stands there now; `decided_by` approved, rejected or disabled it, for this `reason`.
    """

    status: ApprovalStatus
    reason: str | None
    origin: ContentOrigin
    created_by: str | None
    decided_by: str | None
    version: int


@dataclass(frozen=True, slots=True)
class ListedTemplate:
    """A template, whether it may be used or not; `signature_status` is that of the signature it belongs to.

    `is_typed_here`: its carrier does not say of which SMS type it is, so people do; `is_untyped` until they have.
    """

    template: Template
    standing: Standing
    signature_status: ApprovalStatus | None
    is_typed_here: bool
    is_untyped: bool


@dataclass(frozen=True, slots=True)
class ListedSignature:
    """A signature, whether it may be used or not. `templates` counts those that belong to it."""

    signature: Signature
    application: str
    region: Region
    standing: Standing
    templates: int


@dataclass(frozen=True, slots=True)
class Failover:
    """The application that takes over, by its name, and what it cannot take over."""

    name: str
    gaps: Sequence[Gap]


@dataclass(frozen=True, slots=True)
class ListedApplication:
    """An active application and how many approved signatures and templates it has. Its `failover` is only looked up
    for the list.
    """

    id: int
    name: str
    carrier: str
    region: Region
    requests_per_second: float
    price_per_segment: str | None
    currency: str | None
    signatures: int
    templates: int
    failover: Failover | None = None

    @property
    def takes_free_text(self) -> bool:
        """Whether its carrier takes any text, so that a template has no code there."""
        return self.carrier in _FREE_TEXT

    @property
    def signs_by_name(self) -> bool:
        """Whether its carrier takes a signature by its name, so that it has no channel number."""
        return self.carrier in SIGNED_BY_NAME


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of all that match. `page` counts from 1 and is never beyond `pages`; `total` counts all that match."""

    items: Sequence[T]
    page: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Parts of names, whatever their case or width. Without a status, what has left the settings is left out."""

    name: str = ""
    application: str = ""
    status: ApprovalStatus | None = None

    def takes(self, row: Row[Any]) -> bool:
        """Whether a row of a query with `name`, `application`, `status` and `origin` matches."""
        if self.status is None and is_out_of_settings(row):
            return False
        return (
            name_key(self.name) in name_key(row.name)
            and name_key(self.application) in name_key(row.application)
            and self.status in (None, row.status)
        )


class ContentLists:
    """What active applications have; the small tables are filtered here, where case and width are known.

    `failovers` are the applications that take over, by those that they take over from.
    """

    def __init__(self, database: Database, failovers: Mapping[int, int] | None = None) -> None:
        self._database = database
        self._failovers = failovers or {}

    def templates(self, workspace_id: str, wanted: Filter, page: int, size: int) -> Page[ListedTemplate]:
        """By name."""
        with self._database.read() as connection:
            rows = connection.execute(templates_query(workspace_id).where(application.c.active)).all()
        return _page([as_listed_template(row) for row in rows if wanted.takes(row)], page, size)

    def signatures(self, workspace_id: str, wanted: Filter, page: int, size: int) -> Page[ListedSignature]:
        """By name."""
        with self._database.read() as connection:
            rows = connection.execute(signatures_query(workspace_id).where(application.c.active)).all()
        return _page([as_listed_signature(row) for row in rows if wanted.takes(row)], page, size)

    def applications(
        self, workspace_id: str, name: str = "", page: int = 1, size: int = 100
    ) -> Page[ListedApplication]:
        """Those whose name holds `name`, by name."""
        with self._database.read() as connection:
            rows = connection.execute(_applications_query(workspace_id)).all()
            named = [_as_application(row) for row in rows if name_key(name) in name_key(row.name)]
            shown = _page(named, page, size)
            names = {row.id: row.name for row in rows}
            return replace(shown, items=[self._with_failover(connection, each, names) for each in shown.items])

    def _with_failover(
        self, connection: Connection, one: ListedApplication, names: Mapping[int, str]
    ) -> ListedApplication:
        other = self._failovers.get(one.id)
        if other is None or other not in names:
            return one
        missing = gaps(stock_of(connection, one.id), stock_of(connection, other))
        return replace(one, failover=Failover(names[other], missing))

    def template(self, workspace_id: str, template_id: int) -> ListedTemplate:
        """Raises UnknownThing, also for another workspace's."""
        with self._database.read() as connection:
            return listed_template(connection, workspace_id, template_id)

    def signature(self, workspace_id: str, signature_id: int) -> ListedSignature:
        """Raises UnknownThing, also for another workspace's."""
        with self._database.read() as connection:
            return listed_signature(connection, workspace_id, signature_id)

    def application(self, workspace_id: str, application_id: int) -> ListedApplication:
        """Raises UnknownThing, also for another workspace's or one that has left the settings."""
        with self._database.read() as connection:
            return listed_application(connection, workspace_id, application_id)

    def receipts_token(self, workspace_id: str, application_id: int) -> str:
        """The secret part of the address that its carrier reports to. Raises UnknownThing."""
        query = select(application.c.receipts_token).where(
            application.c.workspace_id == workspace_id, application.c.id == application_id
        )
        with self._database.read() as connection:
            token = connection.execute(query).scalar_one_or_none()
        if token is None:
            raise UnknownThing("chosen application", str(application_id))
        return str(token)

    def signatures_of(self, workspace_id: str, application_id: int) -> list[Signature]:
        """All that a template may be tied to, by name: also those that still wait for their approval."""
        query = signatures_query(workspace_id).where(signature.c.application_id == application_id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [as_signature(row) for row in rows if row.status != ApprovalStatus.DISABLED]


def listed_template(connection: Connection, workspace_id: str, template_id: int) -> ListedTemplate:
    """Raises UnknownThing."""
    row = connection.execute(templates_query(workspace_id).where(template.c.id == template_id)).first()
    if row is None:
        raise UnknownThing("chosen template", str(template_id))
    return as_listed_template(row)


def listed_signature(connection: Connection, workspace_id: str, signature_id: int) -> ListedSignature:
    """Raises UnknownThing."""
    row = connection.execute(signatures_query(workspace_id).where(signature.c.id == signature_id)).first()
    if row is None:
        raise UnknownThing("chosen signature", str(signature_id))
    return as_listed_signature(row)


def listed_application(connection: Connection, workspace_id: str, application_id: int) -> ListedApplication:
    """Raises UnknownThing."""
    row = connection.execute(_applications_query(workspace_id).where(application.c.id == application_id)).first()
    if row is None:
        raise UnknownThing("chosen application", str(application_id))
    return _as_application(row)


def signatures_query(workspace_id: str) -> Select[Any]:
    """Every signature with its application, whatever its status, by name."""
    templates = (
        select(func.count())
        .select_from(template)
        .where(template.c.signature_id == signature.c.id, template.c.status == ApprovalStatus.APPROVED.value)
        .scalar_subquery()
    )
    return (
        select(
            signature,
            application.c.name.label("application"),
            application.c.region,
            application.c.active,
            templates.label("templates"),
        )
        .join(application, application.c.id == signature.c.application_id)
        .where(application.c.workspace_id == workspace_id)
        .order_by(signature.c.name, application.c.name)
    )


def as_listed_template(row: Row[Any]) -> ListedTemplate:
    """Of a row of `templates_query`."""
    own = None if row.signature_status is None else ApprovalStatus(row.signature_status)
    return ListedTemplate(
        as_template(row),
        _standing(row),
        own,
        is_typed_here=row.origin == ContentOrigin.CARRIER and row.carrier in UNTYPED_CARRIERS,
        is_untyped=type_is_unknown(row),
    )


def as_listed_signature(row: Row[Any]) -> ListedSignature:
    """Of a row of `signatures_query`."""
    return ListedSignature(as_signature(row), row.application, Region(row.region), _standing(row), row.templates)


def _applications_query(workspace_id: str) -> Select[Any]:
    def approved(table: Any) -> Any:
        of_this = (table.c.application_id == application.c.id, table.c.status == ApprovalStatus.APPROVED.value)
        return select(func.count()).select_from(table).where(*of_this).scalar_subquery()

    return (
        select(
            application,
            approved(signature).label("signatures"),
            approved(template).label("templates"),
        )
        .where(application.c.workspace_id == workspace_id, application.c.active)
        .order_by(application.c.name)
    )


def _as_application(row: Row[Any]) -> ListedApplication:
    return ListedApplication(
        id=row.id,
        name=row.name,
        carrier=row.carrier,
        region=Region(row.region),
        requests_per_second=row.requests_per_second,
        price_per_segment=row.price_per_segment,
        currency=row.currency,
        signatures=row.signatures,
        templates=row.templates,
    )


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        status=ApprovalStatus(row.status),
        reason=row.reason,
        origin=ContentOrigin(row.origin),
        created_by=row.created_by,
        decided_by=row.decided_by,
        version=row.version,
    )


def _page(items: Sequence[T], page: int, size: int) -> Page[T]:
    pages = max(1, -(-len(items) // size))
    page = min(max(page, 1), pages)
    return Page(items[(page - 1) * size : page * size], page, pages, len(items))
