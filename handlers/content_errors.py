"""The sentences of `handlers/errors.py` about applications, signatures and templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from handlers.views.content_words import carrier_name, not_shown, why_not_approved
from handlers.views.words import bold, named, number

RULES: Mapping[str, Callable[[Any, ZoneInfo], str]] = {
    "no_templates": lambda f, z: (
        "There is no template that can be sent yet"
        + (f": {not_shown(f['not_shown'])}. `/sms-templates` says more." if f["not_shown"] else _NO_TEMPLATE)
    ),
    "template_not_approved": lambda f, z: why_not_approved(
        "Template", f["template"], f["status"], f["reason"], f["origin"]
    ),
    "signature_not_approved": lambda f, z: why_not_approved(
        "Signature", f["signature"], f["status"], f["reason"], f["origin"]
    ),
    "template_type_unknown": lambda f, z: (
        f"The carrier does not say of which SMS type template {bold(f['template'])} is. Somebody with the role "
        "*approver* says it under `/sms-templates`."
    ),
    "type_is_known": lambda f, z: (
        f"Template {bold(f['template'])} is of type {f['template_type']}. Change it where it comes from."
    ),
    "application_gone": lambda f, z: (
        f"Template {bold(f['template'])} belongs to application {bold(f['application'])}, which is no longer in the "
        "settings. Choose another one: `/sms-templates` lists them."
    ),
    "template_other_application": lambda f, z: (
        f"Template {bold(f['template'])} belongs to application {named(f['applications'])}, not to "
        f"{bold(f['application'])}. Leave out `app:`, or choose another template."
    ),
    "signature_other_application": lambda f, z: (
        f"Signature {bold(f['signature'])} belongs to application {named(f['applications'])}, and template "
        f"{bold(f['template'])} to {bold(f['application'])}. Choose a signature of {bold(f['application'])}."
    ),
    "signature_type_differs": lambda f, z: (
        f"Signature {bold(f['signature'])} is for {f['signature_type']} SMS only, and template {bold(f['template'])} "
        f"is of type {f['template_type']}. Choose another signature."
    ),
    "no_signature": lambda f, z: (
        f"Application {bold(f['application'])} has no approved signature, which mainland China requires"
        + (f": {not_shown(f['not_shown'])}. `/sms-signatures` says more." if f["not_shown"] else _NO_SIGNATURE)
    ),
    "content_name": lambda f, z: f"A name has 1 to {f['limit']} characters. Choose another one.",
    "template_exists": lambda f, z: (
        f"Application {bold(f['application'])} has a template {bold(f['template'])} already. Choose another name."
    ),
    "signature_exists": lambda f, z: (
        f"Application {bold(f['application'])} has a signature {bold(f['signature'])} already. Choose another name."
    ),
    "template_text": lambda f, z: (
        f"A text has 1 to {f['limit']} characters, and this one has {number(f['number'])}. Change it."
    ),
    "code_missing": lambda f, z: (
        f"{carrier_name(f['carrier'])} knows a template by its ID. Copy it from the carrier's console."
    ),
    "code_too_long": lambda f, z: f"A template ID has at most {f['limit']} characters. Copy it once more.",
    "channel_missing": lambda f, z: (
        f"{carrier_name(f['carrier'])} gives each signature a channel number. Copy it from the carrier's console."
    ),
    "channel_too_long": lambda f, z: f"A channel number has at most {f['limit']} characters. Copy it once more.",
    "signature_at_carrier": lambda f, z: (
        f"{carrier_name(f['carrier'])} approves the signatures of {bold(f['application'])} itself. Apply for it in its "
        "console; *Refresh* under `/sms-signatures` shows it here."
    ),
    "in_settings": lambda f, z: (
        f"{bold(f['name'])} comes from the settings. Your administrator changes it in the file of applications."
    ),
    "carrier_decides": lambda f, z: (
        f"{bold(f['name'])} is the carrier's to judge. Change it in the carrier's console; *Refresh* shows it here."
    ),
    "already_decided": lambda f, z: (
        f"The {f['what']} {bold(f['name'])} is {f['status']} already. `/sms-{f['what']}s` shows where it stands."
    ),
    "content_changed": lambda f, z: (
        f"{bold(f['name'])} has changed since this was shown. Look at it as it is now and try again."
    ),
    "own_content": lambda f, z: (
        f"The {f['what']} {bold(f['name'])} is your own, so somebody else has to look at it. Ask a colleague."
    ),
    "reason_missing": lambda f, z: "Write why, so that its author can mend it.",
}

_NO_TEMPLATE = ". `/sms-templates` takes a new one."
_NO_SIGNATURE = ". `/sms-signatures` takes a new one."

# What was chosen in a list or a form, and is there no longer.
GONE: Mapping[str, str] = {
    f"chosen {what}": f"This {what} is no longer there. `/sms-{command}` lists them all."
    for what, command in (("application", "apps"), ("template", "templates"), ("signature", "signatures"))
}
