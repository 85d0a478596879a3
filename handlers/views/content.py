"""The lists of applications, signatures and templates, and the posts that ask for an approval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from handlers.replies import Block, Say
from handlers.views import blocks
from handlers.views.content_words import REGIONS, carrier_name, gap_list, trimmed
from handlers.views.words import bold, code, counted, escape, listed, moment, number, person
from services import text
from services.content_lists import ListedApplication, ListedSignature, ListedTemplate, Page, Standing
from services.content_sync import Round
from services.states import ApprovalStatus, ContentKind, ContentOrigin, SmsType

PREVIOUS_PAGE = "content_page_previous"
NEXT_PAGE = "content_page_next"
NEW_TEMPLATE = "template_new"
NEW_SIGNATURE = "signature_new"
REFRESH = "content_refresh"
MORE = "content_more"
APPROVE = "content_approve"
REJECT = "content_reject"
RECEIPTS_ADDRESS = "app_receipts_address"

APPLICATIONS = "application"
EDIT, ASSOCIATE, DISABLE, ENABLE, SAY_TYPE = "edit", "associate", "disable", "enable", "type"

_TEXT_SHOWN = 200
_SYMBOLS = {
    ApprovalStatus.PENDING: ":hourglass_flowing_sand:",
    ApprovalStatus.APPROVED: ":white_check_mark:",
    ApprovalStatus.REJECTED: ":x:",
    ApprovalStatus.DISABLED: ":no_entry_sign:",
}


def template_list(page: Page[ListedTemplate], line: str, *, refreshes: bool) -> Say:
    """Some templates with where they stand; `line` is the filter as it was typed."""
    new = [blocks.button(NEW_TEMPLATE, "New template…", "new"), *_refresh(refreshes)]
    nothing = "No templates yet. *New template…* takes one." if not line else ""
    return _list("Templates", ContentKind.TEMPLATE, page, line, new, _template_row, nothing)


def signature_list(page: Page[ListedSignature], line: str, *, refreshes: bool) -> Say:
    """Some signatures with where they stand."""
    new = [blocks.button(NEW_SIGNATURE, "New signature…", "new"), *_refresh(refreshes)]
    nothing = "No signatures yet. *New signature…* takes one." if not line else ""
    return _list("Signatures", ContentKind.SIGNATURE, page, line, new, _signature_row, nothing)


def application_list(
    page: Page[ListedApplication], line: str, rounds: dict[int, Round | None], receipts: dict[int, str]
) -> Say:
    """Applications, whose carriers were asked in these `rounds`, with the open part of their `receipts` addresses."""

    def row(each: ListedApplication) -> list[Block]:
        return _application_row(each, rounds[each.id], receipts[each.id])

    nothing = "There is no application." if not line else ""
    return _list("Applications", APPLICATIONS, page, line, [], row, nothing)


def _list(
    title: str,
    what: str,
    page: Page[Any],
    line: str,
    buttons: Sequence[dict[str, Any]],
    row: Callable[[Any], list[Block]],
    nothing: str,
) -> Say:
    if not page.items:
        said = nothing or f"None matches {code(line)}. `/sms-{_COMMANDS[what]}` lists them all."
        return Say(said, [blocks.section(said), *([blocks.actions(*buttons)] if buttons else [])])
    head = f"*{title}*"
    if line:
        head += f" · {code(line)}"
    if page.pages > 1:
        head += f" · page {page.page} of {page.pages}, {number(page.total)} in all"
    turning = _turning(what, page, line)
    below = [blocks.actions(*turning, *buttons)] if turning or buttons else []
    return Say(title, [blocks.section(head), *(block for each in page.items for block in row(each)), *below])


_COMMANDS = {ContentKind.TEMPLATE: "templates", ContentKind.SIGNATURE: "signatures", APPLICATIONS: "apps"}


def _turning(what: str, page: Page[Any], line: str) -> list[dict[str, Any]]:
    buttons = []
    if page.page > 1:
        buttons.append(blocks.button(PREVIOUS_PAGE, "Previous", f"{what}:{page.page - 1}:{line}"))
    if page.page < page.pages:
        buttons.append(blocks.button(NEXT_PAGE, "Next", f"{what}:{page.page + 1}:{line}"))
    return buttons


def _refresh(refreshes: bool) -> list[dict[str, Any]]:
    return [blocks.button(REFRESH, "Refresh", "refresh")] if refreshes else []


def _template_row(each: ListedTemplate) -> list[Block]:
    known, standing = each.template, each.standing
    sms_type = "SMS type not known" if each.is_untyped else known.sms_type.value
    head = [bold(known.name), sms_type, escape(known.application), f"*{standing.status.value}*"]
    signed = "universal" if known.signature is None else f"【{escape(known.signature)}】"
    shown = " ".join(escape(known.text).split())
    lines = [f"{_SYMBOLS[standing.status]} {' · '.join(head)}", f"{signed} {blocks.cut(shown, _TEXT_SHOWN)}"]
    # Without a code the carrier has refused to take it, and it is ours to mend.
    is_ours = standing.origin is ContentOrigin.CHANNEL or (
        standing.origin is ContentOrigin.CARRIER and standing.status is ApprovalStatus.REJECTED and not known.code
    )
    menu = _menu(ContentKind.TEMPLATE, known.id, standing, associates=True) if is_ours else None
    if each.is_typed_here and menu is None:
        menu = _overflow([blocks.option("SMS type…", f"{SAY_TYPE}:{ContentKind.TEMPLATE.value}:{known.id}")])
    return [blocks.section("\n".join(lines), menu), blocks.context(" · ".join(_facts(standing, _not_chosen(each))))]


def _signature_row(each: ListedSignature) -> list[Block]:
    known, standing = each.signature, each.standing
    sms_type = "every type" if known.sms_type is None else known.sms_type.value
    head = [f"*【{escape(known.name)}】*", sms_type, escape(each.application), f"*{standing.status.value}*"]
    facts = [f"channel number {code(known.channel_number)}"] if known.channel_number else []
    facts.append(counted(each.templates, "approved template"))
    is_ours = standing.origin is ContentOrigin.CHANNEL
    menu = _menu(ContentKind.SIGNATURE, known.id, standing, associates=False) if is_ours else None
    notes = ["no text of type verification is sent to groups"] if known.sms_type is SmsType.VERIFICATION else []
    text = f"{_SYMBOLS[standing.status]} {' · '.join(head)}\n{' · '.join(facts)}"
    return [blocks.section(text, menu), blocks.context(" · ".join(_facts(standing, notes)))]


def _application_row(each: ListedApplication, round_: Round | None, receipts: str) -> list[Block]:
    facts = [
        f"up to {each.requests_per_second:g} requests a second",
        counted(each.signatures, "approved signature"),
        counted(each.templates, "approved template"),
    ]
    if each.price_per_segment is not None:
        facts.insert(1, f"{escape(each.price_per_segment)} {escape(each.currency or '')} a segment".replace("  ", " "))
    notes = [f"reports come in at {code(receipts)}", *_failover(each)]
    if round_ is not None:
        asked = f"{carrier_name(each.carrier)} was asked for signatures and templates {moment(round_.at)}"
        notes.append(asked if round_.trouble is None else f"{asked}, and did not answer: {escape(round_.trouble)}")
    head = f"{bold(each.name)} · {carrier_name(each.carrier)} · {REGIONS[each.region]}"
    key = str(each.id)
    return [
        blocks.section(f"{head}\n{' · '.join(facts)}"),
        blocks.context(" · ".join(notes)),
        blocks.actions(
            blocks.button(NEW_TEMPLATE, "New template…", key),
            blocks.button(NEW_SIGNATURE, "New signature…", key),
            blocks.button(RECEIPTS_ADDRESS, "Address for reports", key),
        ),
    ]


def _failover(each: ListedApplication) -> list[str]:
    """Who takes over, and what cannot be."""
    if each.failover is None:
        return []
    said = [f"{bold(each.failover.name)} takes over where this one cannot send"]
    if each.failover.gaps:
        said.append(f":warning: but not {gap_list(each.failover.gaps, bold)}")
    return said


def _menu(kind: ContentKind, content_id: int, standing: Standing, *, associates: bool) -> dict[str, Any]:
    entries = {EDIT: "Edit…"}
    if associates:
        entries[ASSOCIATE] = "Associate with a signature…"
    if standing.status is ApprovalStatus.DISABLED:
        entries[ENABLE] = "Enable"
    elif standing.origin is ContentOrigin.CHANNEL:
        entries[DISABLE] = "Disable…"
    options = [blocks.option(label, f"{what}:{kind.value}:{content_id}") for what, label in entries.items()]
    return _overflow(options)


def _overflow(options: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "overflow", "action_id": MORE, "options": options}


def _facts(standing: Standing, notes: Sequence[str]) -> list[str]:
    """Whose word the status is, and what more there is to say."""
    match standing.origin:
        case ContentOrigin.SETTINGS:
            facts = ["from the settings, and changed there"]
        case ContentOrigin.CARRIER:
            facts = ["as the carrier says"]
        case _:
            facts = [f"by {person(standing.created_by or '')}"]
    if standing.decided_by is not None and standing.origin is ContentOrigin.CARRIER:
        facts.append(f"SMS type by {person(standing.decided_by)}")
    elif standing.decided_by is not None and standing.status is not ApprovalStatus.PENDING:
        facts.append(f"{standing.status.value} by {person(standing.decided_by)}")
    if standing.status is ApprovalStatus.PENDING and standing.origin is ContentOrigin.CHANNEL:
        facts.append("waits for the approval of somebody else")
    if standing.reason:
        facts.append(f"“{trimmed(standing.reason)}”")
    return [*facts, *notes]


def _not_chosen(each: ListedTemplate) -> list[str]:
    """Why a template that is approved can still not be chosen, or not for every send."""
    known, notes = each.template, []
    if each.is_untyped:
        notes.append("cannot be chosen until somebody says its SMS type")
    elif known.sms_type is SmsType.VERIFICATION:
        notes.append("verification templates are not sent to groups")
    if each.signature_status not in (None, ApprovalStatus.APPROVED):
        notes.append(f"cannot be chosen: its signature is {each.signature_status}")
    if names := text.variables(known.text):
        notes.append(f"needs a file that fills {listed([code(name) for name in names])}")
    return notes


def receipts_address(name: str, address: str) -> str:
    """The whole address that a carrier reports to, for an admin alone."""
    return f"{bold(name)} reports to `{escape(address)}`. Its last part is a secret: show it to nobody but the carrier."


def template_post(each: ListedTemplate) -> tuple[str, list[Block]]:
    """A template that waits for its approval, or what became of it."""
    known = each.template
    shown = text.render(known.text, known.signature, known.region)
    segments = text.segments(shown, known.region)
    facts = [
        ("SMS type", known.sms_type.value),
        ("Application", escape(known.application)),
        ("Signature", "universal" if known.signature is None else f"【{escape(known.signature)}】"),
        ("Segments", f"{segments} each" + (", without the signature" if known.signature is None else "")),
    ]
    if known.code:
        facts.append(("Template ID", code(known.code)))
    return _post(ContentKind.TEMPLATE, known.id, bold(known.name), each.standing, [blocks.verbatim(shown)], facts)


def signature_post(each: ListedSignature) -> tuple[str, list[Block]]:
    """The same for a signature."""
    known = each.signature
    facts = [
        ("SMS type", "every type" if known.sms_type is None else known.sms_type.value),
        ("Application", escape(each.application)),
    ]
    if known.channel_number:
        facts.append(("Channel number", code(known.channel_number)))
    return _post(ContentKind.SIGNATURE, known.id, f"*【{escape(known.name)}】*", each.standing, [], facts)


def _post(
    kind: ContentKind,
    content_id: int,
    name: str,
    standing: Standing,
    body: Sequence[Block],
    facts: Sequence[tuple[str, str]],
) -> tuple[str, list[Block]]:
    author = person(standing.created_by or "")
    head = f"{_SYMBOLS[standing.status]} {_headline(kind, name, author, standing)}"
    shown = [blocks.section(head), *body, blocks.fields(facts)]
    if standing.status is not ApprovalStatus.PENDING:
        return head, shown
    if standing.origin is ContentOrigin.CARRIER:
        return head, [*shown, blocks.context("The carrier looks at it. This post says what became of it.")]
    key = f"{kind.value}:{content_id}:{standing.version}"
    buttons = blocks.actions(
        blocks.button(APPROVE, "Approve", key, style="primary"), blocks.button(REJECT, "Reject…", key)
    )
    return head, [*shown, blocks.context(f"Anybody with the role for it, but not {author}."), buttons]


def _headline(kind: ContentKind, name: str, author: str, standing: Standing) -> str:
    what, reason = f"{kind.value} {name}", f": “{trimmed(standing.reason)}”" if standing.reason else "."
    if standing.status is ApprovalStatus.PENDING:
        asked = "the carrier to approve" if standing.origin is ContentOrigin.CARRIER else "for the approval of"
        return f"{author} asks {asked} the {what}."
    by = f"by {person(standing.decided_by)}" if standing.decided_by else "by the carrier"
    if standing.origin is ContentOrigin.CARRIER:
        by = "by the carrier"
    if standing.origin is ContentOrigin.SETTINGS:
        by = "in the settings"
    return f"The {what} of {author} is {standing.status.value} {by}{reason}"


def added(kind: ContentKind, name: str, *, by_carrier: bool) -> str:
    """The private answer to a new or changed one."""
    if by_carrier:
        return f"The {kind.value} {bold(name)} is being applied for at the carrier. The channel hears what it says."
    return f"The {kind.value} {bold(name)} waits for approval. Somebody other than you can give it in the channel."


def unchanged(kind: ContentKind, name: str) -> str:
    """Where a form was sent as it was opened."""
    return f"The {kind.value} {bold(name)} is as it was."


def typed(name: str, sms_type: SmsType) -> str:
    """The answer to **SMS type…**."""
    return f"Template {bold(name)} is of type {sms_type.value} now."


def disabled(kind: ContentKind, name: str) -> str:
    """The answer to **Disable**."""
    return (
        f"The {kind.value} {bold(name)} can no longer be chosen. Tasks that were confirmed with it are sent; "
        f"`/sms-{kind.value}s` enables it again."
    )


def refreshing(names: Sequence[str]) -> str:
    """The answer to **Refresh**."""
    return f"I am asking {listed([bold(name) for name in names])}. In a few seconds the lists show what is said."
