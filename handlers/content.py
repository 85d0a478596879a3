"""`/sms-templates`, `/sms-signatures`, `/sms-apps`: lists, forms, and the second person's word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from handlers import arguments
from handlers.errors import explain_in_form
from handlers.replies import FieldErrors, Nothing, OpenForm, Replace, Reply, Say
from handlers.requests import Click, Command, Request, Submission
from handlers.views import content as views
from handlers.views import content_forms as forms
from services.content_changes import ContentChanges, SignatureForm, TemplateForm
from services.content_lists import ContentLists, Filter, ListedApplication, ListedTemplate
from services.content_sync import ContentSync
from services.errors import NotAllowed, ServiceError, UnknownThing
from services.states import ApprovalStatus, ContentKind, ContentOrigin, SmsType

PAGE_SIZE = 8
_STATUSES = [status.value for status in ApprovalStatus]

# The field of a form under which a rule's sentence stands; where it is none of these, under the name.
_FIELDS = {
    "template_text": "text",
    "code_missing": "code",
    "code_too_long": "code",
    "channel_missing": "channel",
    "channel_too_long": "channel",
    "signature_type_differs": "signature",
}


@dataclass(frozen=True, slots=True)
class Contents:
    """The services this file needs. `receipts_address` makes an application's address of its id and its secret."""

    lists: ContentLists
    changes: ContentChanges
    sync: ContentSync
    receipts_address: Callable[[int, str], str]


def templates(request: Command, service: Contents) -> Reply:
    """The list, of those that the line asks for."""
    return _page(request, service, ContentKind.TEMPLATE, 1, request.text.strip())


def signatures(request: Command, service: Contents) -> Reply:
    """The list, of those that the line asks for."""
    return _page(request, service, ContentKind.SIGNATURE, 1, request.text.strip())


def applications(request: Command, service: Contents) -> Reply:
    """The list, of those with `name:` in their name where given."""
    return _page(request, service, views.APPLICATIONS, 1, request.text.strip())


def turn_page(request: Click, service: Contents) -> Reply:
    """**Previous** and **Next** under a list, which becomes that page."""
    what, page, line = request.value.split(":", 2)
    shown = _page(request, service, what, int(page), line)
    return Replace(shown.text, shown.blocks)


def refresh(request: Click, service: Contents) -> Reply:
    """**Refresh**: ask the carriers now."""
    service.sync.wake()
    known = service.lists.applications(request.workspace).items
    return Say(views.refreshing([each.name for each in known if service.changes.is_synced(each.id)]))


def new_template(request: Click, service: Contents) -> Reply:
    """**New template…**: its form, after the question for which application where there are several."""
    return _new(request, service, ContentKind.TEMPLATE, request.value)


def new_signature(request: Click, service: Contents) -> Reply:
    """**New signature…**: the same."""
    return _new(request, service, ContentKind.SIGNATURE, request.value)


def choose_application(request: Submission, service: Contents) -> Reply:
    """The application chosen: the form for it."""
    return _new(request, service, ContentKind(request.context), request.values["application"])


def submit_template(request: Submission, service: Contents) -> Reply:
    """Add or edit as the form says; a wrong field is named in the form."""
    what, key, version = request.context.split(":")
    try:
        if what == views.EDIT:
            known = service.lists.template(request.workspace, int(key))
            form = _template_form(request, known.template.code)
            changed = service.changes.edit_template(
                request.workspace, int(key), int(version), form, request.channel, request.person
            )
            if changed.standing.version == known.standing.version:
                return Say(views.unchanged(ContentKind.TEMPLATE, changed.template.name))
        else:
            form = _template_form(request, "")
            changed = service.changes.add_template(request.workspace, int(key), form, request.channel, request.person)
    except ServiceError as error:
        return FieldErrors({_field_of(error): explain_in_form(error, request.zone)})
    return _template_waits(service, changed)


def submit_signature(request: Submission, service: Contents) -> Reply:
    """Add or edit as the form says; a wrong field is named in the form."""
    what, key, version = request.context.split(":")
    sms_type = request.values["sms_type"]
    form = SignatureForm(
        name=request.values["name"],
        channel_number=request.values.get("channel", ""),
        sms_type=None if sms_type == forms.EVERY_TYPE else SmsType(sms_type),
    )
    try:
        if what == views.EDIT:
            before = service.lists.signature(request.workspace, int(key)).standing.version
            changed = service.changes.edit_signature(
                request.workspace, int(key), int(version), form, request.channel, request.person
            )
            if changed.standing.version == before:
                return Say(views.unchanged(ContentKind.SIGNATURE, changed.signature.name))
        else:
            changed = service.changes.add_signature(request.workspace, int(key), form, request.channel, request.person)
    except ServiceError as error:
        return FieldErrors({_field_of(error): explain_in_form(error, request.zone)})
    return Say(views.added(ContentKind.SIGNATURE, changed.signature.name, by_carrier=False))


def more(request: Click, service: Contents) -> Reply:
    """An entry of the menu beside a template or a signature: its form, or what it does."""
    what, kind_value, key = request.value.split(":")
    kind, content_id = ContentKind(kind_value), int(key)
    if what == views.DISABLE:
        return OpenForm(forms.disable_form(kind, _name(request, service, kind, content_id)), f"{kind_value}:{key}")
    if what == views.SAY_TYPE:
        return OpenForm(forms.type_form(service.lists.template(request.workspace, content_id).template), key)
    _need_channel(request)
    if what == views.ENABLE:
        service.changes.enable(request.workspace, kind, content_id, request.channel, request.person)
        return Say(views.added(kind, _name(request, service, kind, content_id), by_carrier=False))
    if kind is ContentKind.SIGNATURE:
        return _edit_signature_form(request, service, content_id)
    return _edit_template_form(request, service, content_id, associates=what == views.ASSOCIATE)


def submit_associate(request: Submission, service: Contents) -> Reply:
    """Tie the template to the signature chosen, or make it universal."""
    key, version = map(int, request.context.split(":"))
    chosen = request.values.get("signature")
    try:
        before = service.lists.template(request.workspace, key).standing.version
        signature_id = int(chosen) if chosen else None
        changed = service.changes.associate(
            request.workspace, key, version, signature_id, request.channel, request.person
        )
    except ServiceError as error:
        return FieldErrors({"signature": explain_in_form(error, request.zone)})
    if changed.standing.version == before:
        return Say(views.unchanged(ContentKind.TEMPLATE, changed.template.name))
    return _template_waits(service, changed)


def submit_type(request: Submission, service: Contents) -> Reply:
    """What the carrier does not say of a template."""
    sms_type = SmsType(request.values["sms_type"])
    typed = service.changes.say_type(request.workspace, int(request.context), sms_type, request.person)
    return Say(views.typed(typed.template.name, typed.template.sms_type))


def submit_disable(request: Submission, service: Contents) -> Reply:
    """Disable, with the reason where one was written."""
    kind_value, _, key = request.context.partition(":")
    kind = ContentKind(kind_value)
    service.changes.disable(request.workspace, kind, int(key), request.person, request.values["reason"])
    return Say(views.disabled(kind, _name(request, service, kind, int(key))))


def approve(request: Click, service: Contents) -> Reply:
    """**Approve** on a post in the channel, which then says so."""
    kind, content_id, version = _decided(request.value)
    service.changes.decide(request.workspace, kind, content_id, version, request.person, approve=True)
    return Nothing()


def reject(request: Click, service: Contents) -> Reply:
    """**Reject…** on a post in the channel: why."""
    kind, content_id, _ = _decided(request.value)
    return OpenForm(forms.reject_form(kind, _name(request, service, kind, content_id)), request.value)


def submit_reject(request: Submission, service: Contents) -> Reply:
    """Reject for this reason; the post in the channel then says so."""
    kind, content_id, version = _decided(request.context)
    try:
        service.changes.decide(
            request.workspace,
            kind,
            content_id,
            version,
            request.person,
            approve=False,
            reason=request.values["reason"],
        )
    except ServiceError as error:
        return FieldErrors({"reason": explain_in_form(error, request.zone)})
    return Nothing()


def receipts_address(request: Click, service: Contents) -> Reply:
    """**Address for reports**: all of it, secret included."""
    where = service.lists.application(request.workspace, int(request.value))
    token = service.lists.receipts_token(request.workspace, where.id)
    return Say(views.receipts_address(where.name, service.receipts_address(where.id, token)))


def _page(request: Request, service: Contents, what: str, page: int, line: str) -> Say:
    if what == views.APPLICATIONS:
        name = arguments.parse(line, ("name",)).one("name") or ""
        found = service.lists.applications(request.workspace, name, page, PAGE_SIZE)
        rounds = {each.id: service.sync.last_round(each.id) for each in found.items}
        receipts = {each.id: f"/receipts/{each.id}/…" for each in found.items}
        return views.application_list(found, line, rounds, receipts)
    wanted = _filter(line)
    if what == ContentKind.TEMPLATE:
        shown = service.lists.templates(request.workspace, wanted, page, PAGE_SIZE)
        return views.template_list(shown, line, refreshes=service.sync.has_carriers)
    listed = service.lists.signatures(request.workspace, wanted, page, PAGE_SIZE)
    return views.signature_list(listed, line, refreshes=service.sync.has_carriers)


def _filter(line: str) -> Filter:
    given = arguments.parse(line, ("name", "app", "status"))
    status = given.one("status")
    if status is not None and status.lower() not in _STATUSES:
        raise UnknownThing("status", status, _STATUSES)
    return Filter(
        name=given.one("name") or "",
        application=given.one("app") or "",
        status=None if status is None else ApprovalStatus(status.lower()),
    )


def _new(request: Click | Submission, service: Contents, kind: ContentKind, chosen: str) -> Reply:
    """`chosen` is an application's id, or no number where it is to be asked for."""
    _need_channel(request)
    if not chosen.isdecimal():
        known = service.lists.applications(request.workspace).items
        if len(known) != 1:
            return OpenForm(forms.application_form(kind, known), kind.value)
        chosen = str(known[0].id)
    where = service.lists.application(request.workspace, int(chosen))
    context = f"new:{where.id}:0"
    if kind is ContentKind.TEMPLATE:
        known_signatures = service.lists.signatures_of(request.workspace, where.id)
        return OpenForm(forms.template_form(where, known_signatures, asks_code=_asks_code(service, where)), context)
    if service.changes.is_synced(where.id):
        raise NotAllowed("signature_at_carrier", application=where.name, carrier=where.carrier)
    return OpenForm(forms.signature_form(where), context)


def _edit_template_form(request: Click, service: Contents, template_id: int, *, associates: bool) -> Reply:
    listed = service.lists.template(request.workspace, template_id)
    where = service.lists.application(request.workspace, listed.template.application_id)
    known_signatures = service.lists.signatures_of(request.workspace, where.id)
    version = listed.standing.version
    if associates:
        return OpenForm(forms.associate_form(listed.template, known_signatures), f"{template_id}:{version}")
    form = forms.template_form(where, known_signatures, listed.template, asks_code=_asks_code(service, where))
    return OpenForm(form, f"{views.EDIT}:{template_id}:{version}")


def _edit_signature_form(request: Click, service: Contents, signature_id: int) -> Reply:
    listed = service.lists.signature(request.workspace, signature_id)
    where = service.lists.application(request.workspace, listed.signature.application_id)
    form = forms.signature_form(where, listed.signature)
    return OpenForm(form, f"{views.EDIT}:{signature_id}:{listed.standing.version}")


def _template_form(request: Submission, code: str) -> TemplateForm:
    """`code` is what stays where the form does not ask for it."""
    chosen = request.values.get("signature")
    return TemplateForm(
        name=request.values["name"],
        text=request.values["text"],
        sms_type=SmsType(request.values["sms_type"]),
        code=request.values.get("code", code),
        signature_id=int(chosen) if chosen else None,
    )


def _template_waits(service: Contents, changed: ListedTemplate) -> Say:
    by_carrier = changed.standing.origin is ContentOrigin.CARRIER
    if by_carrier:
        service.sync.wake()
    return Say(views.added(ContentKind.TEMPLATE, changed.template.name, by_carrier=by_carrier))


def _asks_code(service: Contents, where: ListedApplication) -> bool:
    return not where.takes_free_text and not service.changes.is_synced(where.id)


def _name(request: Request, service: Contents, kind: ContentKind, content_id: int) -> str:
    if kind is ContentKind.TEMPLATE:
        return service.lists.template(request.workspace, content_id).template.name
    return service.lists.signature(request.workspace, content_id).signature.name


def _decided(value: str) -> tuple[ContentKind, int, int]:
    kind, content_id, version = value.split(":")
    return ContentKind(kind), int(content_id), int(version)


def _field_of(error: ServiceError) -> str:
    if isinstance(error, UnknownThing):
        return "signature" if error.kind == "chosen signature" else "name"
    return _FIELDS.get(error.rule, "name") if isinstance(error, NotAllowed) else "name"


def _need_channel(request: Request) -> None:
    """Those who approve must have a place to see it."""
    if not request.bot_in_channel:
        raise NotAllowed("bot_not_in_channel")
