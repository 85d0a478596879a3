"""The forms of signatures and templates: new, edit, associate, disable, reject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handlers.replies import Block, View
from handlers.views import blocks
from handlers.views.content_words import REGIONS, carrier_name
from handlers.views.groups import name_input
from handlers.views.words import bold
from services.content import Signature, Template
from services.content_changes import CHANNEL_LIMIT, CODE_LIMIT, REASON_LIMIT, TEXT_LIMIT
from services.content_lists import ListedApplication
from services.states import ContentKind, SmsType

APPLICATION_FORM = "content_application_form"
TEMPLATE_FORM = "template_form"
SIGNATURE_FORM = "signature_form"
ASSOCIATE_FORM = "template_associate_form"
DISABLE_FORM = "content_disable_form"
REJECT_FORM = "content_reject_form"
TYPE_FORM = "template_type_form"

EVERY_TYPE = "every"
_TYPES = {
    SmsType.PROMOTIONAL: "Promotional: offers and news",
    SmsType.NOTIFICATION: "Notification: information customers expect",
    SmsType.VERIFICATION: "Verification: codes, which are not sent to groups",
}


def application_form(kind: ContentKind, applications: Sequence[ListedApplication]) -> View:
    """Which application it is for, where there are several."""
    options = [
        blocks.option(f"{blocks.cut(each.name, 40)} · {each.carrier} · {each.region.value}", str(each.id))
        for each in applications
    ]
    menu = blocks.menu("application", "Choose an application", options)
    return blocks.form(
        APPLICATION_FORM, f"New {kind.value}", "Next", [blocks.field("application", "Application", menu)]
    )


def template_form(
    where: ListedApplication, signatures: Sequence[Signature], known: Template | None = None, *, asks_code: bool
) -> View:
    """A new template of an application, or a `known` one to be edited. `asks_code`: the carrier knows it by an ID."""
    text: dict[str, Any] = {"type": "plain_text_input", "multiline": True, "max_length": TEXT_LIMIT}
    if known is not None:
        text["initial_value"] = known.text
    fields = [
        _where(where),
        blocks.field("name", "Name", name_input(known.name if known else ""), hint="What people type in template:"),
        blocks.field("sms_type", "SMS type", _types([*_TYPES], known.sms_type if known else None)),
        blocks.field(
            "text",
            "Text",
            text,
            hint="Without the signature, which is set before it. A variable is written {name}, and filled from a file.",
        ),
        _signature_field(signatures, known.signature_id if known else None),
    ]
    if asks_code:
        element = _line(known.code if known else "", CODE_LIMIT)
        hint = f"As {carrier_name(where.carrier)}'s console shows it, where the text is approved."
        fields.append(blocks.field("code", "Template ID", element, hint=hint))
    title = "New template" if known is None else "Edit template"
    return blocks.form(TEMPLATE_FORM, title, "Ask for approval", fields)


def signature_form(where: ListedApplication, known: Signature | None = None) -> View:
    """A new signature of an application, or a `known` one to be edited."""
    every = blocks.option("Every type", EVERY_TYPE)
    types = _types([*_TYPES], known.sms_type if known else None)
    types["options"] = [every, *types["options"]]
    if known is None or known.sms_type is None:
        types["initial_option"] = every
    fields = [
        _where(where),
        blocks.field("name", "Signature", name_input(known.name if known else ""), hint="Without brackets."),
        blocks.field("sms_type", "For texts of", types),
    ]
    if not where.signs_by_name:
        element = _line(known.channel_number if known else "", CHANNEL_LIMIT)
        hint = "What the carrier shows beside it; requests carry it as their sender."
        fields.append(blocks.field("channel", "Channel number", element, optional=where.takes_free_text, hint=hint))
    title = "New signature" if known is None else "Edit signature"
    return blocks.form(SIGNATURE_FORM, title, "Ask for approval", fields)


def associate_form(known: Template, signatures: Sequence[Signature]) -> View:
    """The signature that a template belongs to."""
    note = blocks.context("It waits for approval again, because another name stands before its text.")
    text = blocks.section(f"Whose name stands before the text of {bold(known.name)}?")
    field = _signature_field(signatures, known.signature_id)
    return blocks.form(ASSOCIATE_FORM, "Associate template", "Ask for approval", [text, field, note])


def type_form(known: Template) -> View:
    """What the carrier does not say of a template."""
    text = blocks.section(
        f"The carrier does not say of which type {bold(known.name)} is. It is sent only to groups of the same type."
    )
    field = blocks.field("sms_type", "SMS type", _types([*_TYPES], None))
    return blocks.form(TYPE_FORM, "SMS type of a template", "Save", [text, blocks.verbatim(known.text), field])


def disable_form(kind: ContentKind, name: str) -> View:
    """Why, if anybody should know."""
    text = f"The {kind.value} {bold(name)} can no longer be chosen; tasks that were confirmed with it are sent."
    field = blocks.field("reason", "Why", _line("", REASON_LIMIT), optional=True)
    return blocks.form(DISABLE_FORM, f"Disable {kind.value}", "Disable", [blocks.section(text), field])


def reject_form(kind: ContentKind, name: str) -> View:
    """Why, for its author."""
    text = blocks.section(f"The {kind.value} {bold(name)} cannot be chosen until it was changed and approved.")
    element = {"type": "plain_text_input", "multiline": True, "max_length": REASON_LIMIT}
    field = blocks.field("reason", "Why", element, hint="Its author reads it, so that it can be mended.")
    return blocks.form(REJECT_FORM, f"Reject {kind.value}", "Reject", [text, field])


def _where(where: ListedApplication) -> Block:
    return blocks.context(f"For {bold(where.name)}: {carrier_name(where.carrier)}, {REGIONS[where.region]}.")


def _line(current: str, limit: int) -> dict[str, Any]:
    element: dict[str, Any] = {"type": "plain_text_input", "max_length": limit}
    return {**element, "initial_value": current} if current else element


def _types(types: Sequence[SmsType], chosen: SmsType | None) -> dict[str, Any]:
    options = {each: blocks.option(_TYPES[each], each.value) for each in types}
    element: dict[str, Any] = {"type": "radio_buttons", "options": [*options.values()]}
    return element if chosen is None else {**element, "initial_option": options[chosen]}


def _signature_field(signatures: Sequence[Signature], chosen: int | None) -> Block:
    # The chosen one is offered however many there are.
    ordered = sorted(signatures, key=lambda each: each.id != chosen)
    if not ordered:
        note = "The application has no signature yet: the template is universal, and the sender chooses one."
        return blocks.context(note)
    options = [blocks.option(f"【{blocks.cut(each.name, 60)}】", str(each.id)) for each in ordered]
    menu = blocks.menu("signature", "None: universal", options)
    if chosen is not None and ordered[0].id == chosen:
        menu["initial_option"] = options[0]
    hint = "Left empty, the template is universal: the sender chooses a signature each time."
    return blocks.field("signature", "Signature", menu, optional=True, hint=hint)
