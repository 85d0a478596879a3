"""The preview of a send, and its form."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from handlers.replies import Block, Say, View
from handlers.times import describe_time
from handlers.views import blocks
from handlers.views.groups import many, menu_hint
from handlers.views.words import bold, counted, escape, listed, named, number
from services.content import Template
from services.groups import Group
from services.previews import CIVIL_HOURS, MAINLAND_ZONE, Preview
from services.states import Region

CONFIRM = "send_confirm"
DISCARD = "send_discard"
FORM = "send_form"

_REGIONS = {Region.MAINLAND: "mainland China", Region.INTERNATIONAL: "numbers outside mainland China"}
_CHANGES = {
    "text": "the text",
    "signature": "the signature",
    "groups": "a group",
    "recipients": "the recipients",
}


def preview(shown: Preview, zone: ZoneInfo, now: datetime) -> Say:
    """What would be sent, to how many, when, and the button that does it."""
    recipients = counted(shown.recipients, "customer")
    verb = "Send to" if shown.at is None else "Schedule for"
    body: list[Block] = []
    if shown.changed:
        what = listed([_CHANGES[each] for each in shown.changed])
        body.append(
            blocks.section(f":warning: *Nothing was sent:* {what} changed since your preview. This is how it is now.")
        )
    body += [
        blocks.section("*Preview* · nothing has been sent yet. This is the text exactly as it will arrive:"),
        blocks.verbatim(shown.text),
        blocks.fields(_facts(shown, zone)),
        *(blocks.context(f":warning: {each}") for each in _warnings(shown, now)),
        blocks.actions(
            blocks.button(CONFIRM, f"{verb} {recipients}", str(shown.draft_id), style="primary"),
            blocks.button(DISCARD, "Don't send", str(shown.draft_id)),
        ),
    ]
    return Say(f"Preview: {escape(blocks.cut(shown.text, 500))} · {verb.lower()} {recipients}", body)


def _facts(shown: Preview, zone: ZoneInfo) -> list[tuple[str, str]]:
    to = named(shown.groups)
    if shown.resend is not None:
        to = f"the {shown.resend.state.value} messages of task {shown.resend.task}"
    if shown.excluded:
        to += f" without {named(shown.excluded)}"
    sender = escape(shown.application)
    if shown.signature:
        sender = f"【{escape(shown.signature)}】 through {sender}"
    return [
        ("Recipients", f"{number(shown.recipients)} in {to}"),
        ("Segments", f"{number(shown.segments_each)} each · {number(shown.segments)} in total"),
        ("When", "Now, as soon as you press the button" if shown.at is None else describe_time(shown.at, zone)),
        ("Template", f"{bold(shown.template)} · {shown.sms_type.value}"),
        ("From", sender),
    ]


def _warnings(shown: Preview, now: datetime) -> list[str]:
    warnings = []
    if shown.outside_hours:
        local = f"{(shown.at or now).astimezone(MAINLAND_ZONE):%H:%M}"
        first, last = CIVIL_HOURS
        warnings.append(
            f"That is {local} for recipients in mainland China, outside {first:02}:00–{last:02}:00. "
            "At such hours people complain."
        )
    if shown.outside_region:
        left_out = counted(shown.outside_region, "number is", "numbers are")
        warnings.append(
            f"{left_out} left out, because {escape(shown.application)} sends only to {_REGIONS[shown.region]}."
        )
    if not shown.receipts_reach_us:
        warnings.append(
            "Delivery will stay unknown: PUBLIC_URL is not set, so the carrier cannot tell this bot what arrived."
        )
    return warnings


def send_form(groups: Sequence[Group], templates: Sequence[Template], chosen_group: int | None = None) -> View:
    """The form of `/sms-send` without arguments; its menus' values are ids, `groups` those to be offered first."""
    chosen = next((group for group in groups if group.id == chosen_group), None)
    group_menu = many("Choose one or more groups", groups, chosen)
    has_several = len({each.application_id for each in templates}) > 1
    template_options = [
        blocks.option(
            f"{blocks.cut(each.name, 30)} · {each.sms_type.value}" + (f" · {each.application}" if has_several else ""),
            str(each.id),
        )
        for each in templates
    ]
    when = {
        "type": "plain_text_input",
        "placeholder": blocks.plain("Now", 150),
    }
    return blocks.form(
        FORM,
        "Send SMS",
        "Preview",
        [
            blocks.field("group", "To", group_menu, hint=menu_hint(groups, "/sms-send group:name")),
            blocks.field("template", "Template", blocks.menu("template", "Choose a template", template_options)),
            blocks.field(
                "exclude",
                "Without",
                many("Nobody is left out", groups),
                optional=True,
                hint="Numbers that are in these groups get nothing, also where they are in a group above.",
            ),
            blocks.field(
                "at",
                "When",
                when,
                optional=True,
                hint="Leave empty to send now, or write a time such as tomorrow 10:00 or 2026-12-24 09:30.",
            ),
        ],
    )
