"""Signatures and templates of a workspace's own: add, edit, tie together, disable, and the second person's word.

Those of the settings are changed in the settings; those of a carrier's console are the carrier's to judge. What is
added here waits for somebody else's approval, and whatever is changed waits again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select, update

from services.content import as_signature, is_out_of_settings
from services.content_lists import (
    ListedApplication,
    ListedSignature,
    ListedTemplate,
    Standing,
    listed_application,
    listed_signature,
    listed_template,
    signatures_query,
)
from services.database import Database, insert_row
from services.errors import NotAllowed, UnknownThing
from services.groups import NAME_LIMIT, name_key, tidy
from services.models import application, signature, template
from services.posts import PostKind, want_post
from services.states import ApprovalStatus, ContentKind, ContentOrigin, SmsType

TEXT_LIMIT = 500
CODE_LIMIT = 32
CHANNEL_LIMIT = 21
REASON_LIMIT = 300

_TABLES: dict[ContentKind, Table] = {ContentKind.TEMPLATE: template, ContentKind.SIGNATURE: signature}
_POSTS = {ContentKind.TEMPLATE: PostKind.TEMPLATE, ContentKind.SIGNATURE: PostKind.SIGNATURE}


@dataclass(frozen=True, slots=True)
class TemplateForm:
    """What a person writes of a template. `code` is the carrier's id of it; without `signature_id` it is universal."""

    name: str
    text: str
    sms_type: SmsType
    code: str = ""
    signature_id: int | None = None


@dataclass(frozen=True, slots=True)
class SignatureForm:
    """What a person writes of a signature; `sms_type` None for every type."""

    name: str
    channel_number: str = ""
    sms_type: SmsType | None = None


class ContentChanges:
    """Changes what may be chosen. `synced` are the applications whose carrier lists and takes templates itself."""

    def __init__(self, database: Database, synced: Collection[int] = ()) -> None:
        self._database = database
        self._synced = frozenset(synced)

    def is_synced(self, application_id: int) -> bool:
        """Whether the status of its templates is the carrier's word."""
        return application_id in self._synced

    def add_template(
        self, workspace_id: str, application_id: int, form: TemplateForm, channel: str, by: str
    ) -> ListedTemplate:
        """Pending, until somebody else approves it in the channel, or the carrier does. Raises UnknownThing, or
        NotAllowed("content_name" | "template_exists" | "template_text" | "code_missing" | "code_too_long" |
        "signature_type_differs").
        """
        with self._database.write(workspace_id) as tx:
            where = _lock(tx, workspace_id, application_id)
            values = self._template_values(tx, workspace_id, where, form, None)
            origin = ContentOrigin.CARRIER if self.is_synced(application_id) else ContentOrigin.CHANNEL
            template_id = _insert(tx, template, where, origin, by, values)
            want_post(tx, workspace_id, channel, PostKind.TEMPLATE, template_id)
            tx.commit()
            return listed_template(tx, workspace_id, template_id)

    def edit_template(
        self, workspace_id: str, template_id: int, version: int, form: TemplateForm, channel: str, by: str
    ) -> ListedTemplate:
        """Pending again where anything changed; whoever edits is the author. Raises UnknownThing or NotAllowed, as
        adding does, and "content_changed" where it is no longer the `version` that was edited.
        """
        with self._database.write(workspace_id) as tx:
            listed = listed_template(tx, workspace_id, template_id)
            where = _lock(tx, workspace_id, listed.template.application_id)
            _need_ours(listed.template.name, listed.standing, listed.template.code)
            values = self._template_values(tx, workspace_id, where, form, template_id)
            self._change(tx, workspace_id, ContentKind.TEMPLATE, template_id, version, values, channel, by)
            tx.commit()
            return listed_template(tx, workspace_id, template_id)

    def associate(
        self, workspace_id: str, template_id: int, version: int, signature_id: int | None, channel: str, by: str
    ) -> ListedTemplate:
        """Tie a template to a signature of its application, or make it universal. Raises as editing does."""
        with self._database.read(workspace_id) as connection:
            known = listed_template(connection, workspace_id, template_id).template
        form = TemplateForm(known.name, known.text, known.sms_type, known.code, signature_id)
        return self.edit_template(workspace_id, template_id, version, form, channel, by)

    def add_signature(
        self, workspace_id: str, application_id: int, form: SignatureForm, channel: str, by: str
    ) -> ListedSignature:
        """Pending, until somebody else approves it in the channel. Raises UnknownThing, or NotAllowed("content_name" |
        "signature_exists" | "channel_missing" | "channel_too_long" | "signature_at_carrier").
        """
        with self._database.write(workspace_id) as tx:
            where = _lock(tx, workspace_id, application_id)
            if self.is_synced(application_id):
                raise NotAllowed("signature_at_carrier", application=where.name, carrier=where.carrier)
            values = _signature_values(tx, where, form, None)
            signature_id = _insert(tx, signature, where, ContentOrigin.CHANNEL, by, values)
            want_post(tx, workspace_id, channel, PostKind.SIGNATURE, signature_id)
            tx.commit()
            return listed_signature(tx, workspace_id, signature_id)

    def edit_signature(
        self, workspace_id: str, signature_id: int, version: int, form: SignatureForm, channel: str, by: str
    ) -> ListedSignature:
        """Pending again where anything changed. Raises as adding and editing do."""
        with self._database.write(workspace_id) as tx:
            listed = listed_signature(tx, workspace_id, signature_id)
            where = _lock(tx, workspace_id, listed.signature.application_id)
            _need_ours(listed.signature.name, listed.standing)
            values = _signature_values(tx, where, form, signature_id)
            self._change(tx, workspace_id, ContentKind.SIGNATURE, signature_id, version, values, channel, by)
            tx.commit()
            return listed_signature(tx, workspace_id, signature_id)

    def say_type(self, workspace_id: str, template_id: int, sms_type: SmsType, by: str) -> ListedTemplate:
        """What the carrier's API does not say of a template. Raises UnknownThing, or NotAllowed("type_is_known")."""
        with self._database.write(workspace_id) as tx:
            listed = listed_template(tx, workspace_id, template_id)
            name = listed.template.name
            if not listed.is_typed_here:
                raise NotAllowed("type_is_known", template=name, template_type=listed.template.sms_type.value)
            values = {"sms_type": sms_type.value, "decided_by": by}
            _set(tx, ContentKind.TEMPLATE, template_id, listed.standing.version, name, values)
            tx.commit()
            return listed_template(tx, workspace_id, template_id)

    def disable(self, workspace_id: str, kind: ContentKind, content_id: int, by: str, reason: str = "") -> None:
        """It can no longer be chosen; tasks that were confirmed with it are sent. Raises UnknownThing or NotAllowed."""
        with self._database.write(workspace_id) as tx:
            name, standing = _find(tx, workspace_id, kind, content_id)
            _need_ours(name, standing)
            if standing.status is ApprovalStatus.DISABLED:
                raise NotAllowed("already_decided", what=kind.value, name=name, status=standing.status.value)
            said = {"status": ApprovalStatus.DISABLED.value, "reason": _reason(reason), "decided_by": by}
            _set(tx, kind, content_id, standing.version, name, said)
            tx.commit()

    def enable(self, workspace_id: str, kind: ContentKind, content_id: int, channel: str, by: str) -> None:
        """Ask for approval again; whoever does is not the one to give it. Raises UnknownThing or NotAllowed."""
        with self._database.write(workspace_id) as tx:
            name, standing = _find(tx, workspace_id, kind, content_id)
            _need_ours(name, standing)
            if standing.status is not ApprovalStatus.DISABLED:
                raise NotAllowed("already_decided", what=kind.value, name=name, status=standing.status.value)
            _set(tx, kind, content_id, standing.version, name, _pending(by))
            want_post(tx, workspace_id, channel, _POSTS[kind], content_id)
            tx.commit()

    def decide(
        self,
        workspace_id: str,
        kind: ContentKind,
        content_id: int,
        version: int,
        by: str,
        *,
        approve: bool,
        reason: str = "",
    ) -> None:
        """A second person's word on this `version`. Raises UnknownThing, or NotAllowed("in_settings" |
        "carrier_decides" | "already_decided" | "content_changed" | "own_content" | "reason_missing").
        """
        with self._database.write(workspace_id) as tx:
            name, standing = _find(tx, workspace_id, kind, content_id)
            if standing.origin is ContentOrigin.CARRIER:
                raise NotAllowed("carrier_decides", name=name)
            _need_ours(name, standing)
            if standing.status is not ApprovalStatus.PENDING:
                raise NotAllowed("already_decided", what=kind.value, name=name, status=standing.status.value)
            if standing.version != version:
                raise NotAllowed("content_changed", name=name)
            if standing.created_by == by:
                raise NotAllowed("own_content", what=kind.value, name=name)
            if not approve and not reason.strip():
                raise NotAllowed("reason_missing")
            status = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED
            said = {"status": status.value, "reason": None if approve else _reason(reason), "decided_by": by}
            _set(tx, kind, content_id, version, name, said)
            tx.commit()

    def _template_values(
        self, tx: Connection, workspace_id: str, where: ListedApplication, form: TemplateForm, own_id: int | None
    ) -> dict[str, Any]:
        name = _clean(form.name)
        if _is_taken(tx, template, where.id, name, own_id):
            raise NotAllowed("template_exists", template=name, application=where.name)
        text, code = form.text.strip(), form.code.strip()
        if not 1 <= len(text) <= TEXT_LIMIT:
            raise NotAllowed("template_text", number=len(text), limit=TEXT_LIMIT)
        if len(code) > CODE_LIMIT:
            raise NotAllowed("code_too_long", limit=CODE_LIMIT)
        if not code and not where.takes_free_text and not self.is_synced(where.id):
            raise NotAllowed("code_missing", carrier=where.carrier)
        if form.signature_id is not None:
            _need_signature(tx, workspace_id, where, form, name)
        return {
            "name": name,
            "text": text,
            "code": "" if self.is_synced(where.id) else code,
            "sms_type": form.sms_type.value,
            "signature_id": form.signature_id,
        }

    def _change(
        self,
        tx: Connection,
        workspace_id: str,
        kind: ContentKind,
        content_id: int,
        version: int,
        values: dict[str, Any],
        channel: str,
        by: str,
    ) -> None:
        table = _TABLES[kind]
        row = tx.execute(select(table).where(table.c.id == content_id)).one()
        if row.version != version:
            raise NotAllowed("content_changed", name=row.name)
        if all(getattr(row, column) == value for column, value in values.items()):
            return
        _set(tx, kind, content_id, version, row.name, {**values, **_pending(by)})
        if row.status != ApprovalStatus.PENDING:
            # The old post has had its answer; an edited one would ring no bell.
            want_post(tx, workspace_id, channel, _POSTS[kind], content_id)


def _lock(tx: Connection, workspace_id: str, application_id: int) -> ListedApplication:
    """The application, which nobody else adds to before we commit, so that no name is given twice."""
    mine = (application.c.workspace_id == workspace_id, application.c.id == application_id)
    tx.execute(select(application.c.id).where(*mine).with_for_update())
    return listed_application(tx, workspace_id, application_id)


def _find(tx: Connection, workspace_id: str, kind: ContentKind, content_id: int) -> tuple[str, Standing]:
    """Its name and where it stands."""
    if kind is ContentKind.TEMPLATE:
        listed = listed_template(tx, workspace_id, content_id)
        return listed.template.name, listed.standing
    signed = listed_signature(tx, workspace_id, content_id)
    return signed.signature.name, signed.standing


def _need_ours(name: str, standing: Standing, code: str | None = None) -> None:
    """Raises NotAllowed unless people decide on it. What a carrier has refused to take (no `code`) is ours to mend."""
    if standing.origin is ContentOrigin.SETTINGS:
        raise NotAllowed("in_settings", name=name)
    if standing.origin is ContentOrigin.CARRIER and code != "":
        raise NotAllowed("carrier_decides", name=name)


def _need_signature(tx: Connection, workspace_id: str, where: ListedApplication, form: TemplateForm, name: str) -> None:
    row = tx.execute(
        signatures_query(workspace_id).where(
            signature.c.id == form.signature_id, signature.c.application_id == where.id
        )
    ).first()
    if row is None or is_out_of_settings(row):
        raise UnknownThing("chosen signature", str(form.signature_id))
    if not as_signature(row).signs(form.sms_type):
        raise NotAllowed(
            "signature_type_differs",
            signature=row.name,
            signature_type=row.sms_type,
            template=name,
            template_type=form.sms_type.value,
        )


def _signature_values(
    tx: Connection, where: ListedApplication, form: SignatureForm, own_id: int | None
) -> dict[str, Any]:
    name = _clean(form.name.strip().strip("【】[]"))
    if _is_taken(tx, signature, where.id, name, own_id):
        raise NotAllowed("signature_exists", signature=name, application=where.name)
    channel_number = name if where.signs_by_name else form.channel_number.strip()
    if len(channel_number) > CHANNEL_LIMIT and not where.signs_by_name:
        raise NotAllowed("channel_too_long", limit=CHANNEL_LIMIT)
    if not channel_number and not where.takes_free_text:
        raise NotAllowed("channel_missing", carrier=where.carrier)
    sms_type = None if form.sms_type is None else form.sms_type.value
    return {"name": name, "channel_number": channel_number, "sms_type": sms_type}


def _clean(name: str) -> str:
    cleaned = tidy(name)
    if not 1 <= len(cleaned) <= NAME_LIMIT:
        raise NotAllowed("content_name", limit=NAME_LIMIT)
    return cleaned


def _reason(reason: str) -> str | None:
    return reason.strip()[:REASON_LIMIT] or None


def _is_taken(tx: Connection, table: Table, application_id: int, name: str, own_id: int | None) -> bool:
    """By another one, in any case or width: people type it so."""
    rows = tx.execute(select(table.c.id, table.c.name).where(table.c.application_id == application_id))
    return any(row.id != own_id and name_key(row.name) == name_key(name) for row in rows)


def _insert(
    tx: Connection, table: Table, where: ListedApplication, origin: ContentOrigin, by: str, values: dict[str, Any]
) -> int:
    first = {"application_id": where.id, "origin": origin.value, **_pending(by)}
    return insert_row(tx, table.insert().values(**first, **values))


def _pending(by: str) -> dict[str, Any]:
    return {"status": ApprovalStatus.PENDING.value, "reason": None, "created_by": by, "decided_by": None}


def _set(tx: Connection, kind: ContentKind, content_id: int, version: int, name: str, values: dict[str, Any]) -> None:
    """Raises NotAllowed("content_changed") where somebody was faster."""
    table = _TABLES[kind]
    this = update(table).where(table.c.id == content_id, table.c.version == version)
    if tx.execute(this.values(**values, version=table.c.version + 1)).rowcount != 1:
        raise NotAllowed("content_changed", name=name)
