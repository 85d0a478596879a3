"""The preview of a send, its form, and that of a test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from handlers.replies import Block, Say, View
from handlers.times import describe_time, is_doubled
from handlers.views import blocks
from handlers.views.content_words import REGIONS, not_shown
from handlers.views.countries import country
from handlers.views.enter import LEAVE_OUT as LEAVE_WRONG_OUT
from handlers.views.enter import wrong_lines
from handlers.views.groups import many, menu_hint
from handlers.views.words import bold, code, counted, duration, escape, listed, money, number, recipients_of, several
from services.content import NotShown, Template
from services.draft_tests import MOST_NUMBERS as MOST_TEST_NUMBERS
from services.entries import MOST_NUMBERS, WrongLine
from services.groups import Group
from services.hours import CIVIL_HOURS, MAINLAND_ZONE, PROMOTION_HOURS, may_send
from services.imports import Import
from services.numbers import format_e164, mask
from services.previews import Preview
from services.states import Region, Source

CONFIRM = "send_confirm"
DISCARD = "send_discard"
LEAVE_OUT = "send_leave_out"
RESCHEDULE = "send_reschedule"
TEST = "send_test"
FORM = "send_form"
TEST_FORM = "send_test_form"

_COUNTRIES_SHOWN = 5
_CHANGES = {
    "text": "the text",
    "signature": "the signature",
    "groups": "a group",
    "recipients": "the recipients",
}


def counting(size: int) -> str:
    """Said at once where the preview takes a while."""
    return f"Counting {counted(size, 'recipient')}… The preview follows in a few seconds."


def filling(size: int) -> str:
    """Said at once where confirming takes a while."""
    return f"Filling in {number(size)} SMS, each with its own values… This takes some seconds."


def preview(shown: Preview, zone: ZoneInfo, now: datetime) -> Say:
    """What would be sent, to how many, when, and the button that does it."""
    body: list[Block] = []
    if shown.changed:
        body.append(blocks.section(f":warning: *Nothing was sent:* {_what_changed(shown)} This is how it is now."))
    if shown.resent:
        body.append(blocks.section(already_resent(shown.resent)))
    body += [
        *_texts(shown),
        blocks.fields(_facts(shown, zone, now)),
        *(blocks.context(f":warning: {each}") for each in _warnings(shown, zone, now)),
        blocks.actions(*_buttons(shown, zone)),
    ]
    verb = "Send to" if shown.at is None else "Schedule for"
    return Say(f"Preview: {escape(blocks.cut(shown.text, 500))} · {verb.lower()} {_customers(shown)}", body)


def _what_changed(shown: Preview) -> str:
    if "hours" in shown.changed:
        return "at this hour carriers refuse promotional SMS."
    if "resent" in shown.changed:
        return "somebody has sent these again since your preview."
    return f"{listed([_CHANGES[each] for each in shown.changed])} changed since your preview."


def already_resent(tasks: Sequence[int]) -> str:
    """A warning: this would be a further copy."""
    which = several([str(each) for each in tasks])
    return (
        f":warning: Task {which} has sent these again already."
        if len(tasks) == 1
        else (f":warning: Tasks {which} have sent these again already.")
    )


def _texts(shown: Preview) -> list[Block]:
    head = "*Preview* · nothing has been sent yet."
    if not shown.variables:
        body = [blocks.section(f"{head} This is the text exactly as it will arrive:"), blocks.verbatim(shown.text)]
        if shown.samples:
            first = ", ".join(escape(mask(each)) for each, _ in shown.samples)
            body.append(blocks.context(f"The first recipients: {first}"))
        return body
    body = [blocks.section(f"{head} This is exactly what arrives at the first recipients:")]
    for each, text in shown.samples:
        body += [blocks.context(escape(mask(each))), blocks.verbatim(text)]
    return body


def _buttons(shown: Preview, zone: ZoneInfo) -> list[dict[str, Any]]:
    """What stands in the way comes first; only what can be sent has the button that sends."""
    key = str(shown.draft_id)
    if shown.lacks_values:
        first = blocks.button(LEAVE_OUT, f"Leave {number(shown.missing_count)} out", key, style="primary")
    elif shown.allowed_from is not None:
        at = shown.allowed_from.astimezone(zone)
        first = blocks.button(RESCHEDULE, f"Schedule for {at:%d %b, %H:%M} instead", key, style="primary")
    else:
        verb = "Send to" if shown.at is None else "Schedule for"
        first = blocks.button(CONFIRM, f"{verb} {_customers(shown)}", key, style="primary")
    return [first, blocks.button(TEST, "Test send", key), blocks.button(DISCARD, "Don't send", key)]


def _customers(shown: Preview) -> str:
    customers = counted(shown.numbers or shown.recipients, "customer")
    if shown.numbers and shown.recipients > shown.numbers:
        return f"{customers} ({number(shown.recipients)} SMS)"
    return customers


def _facts(shown: Preview, zone: ZoneInfo, now: datetime) -> list[tuple[str, str]]:
    whom = recipients_of(shown.source, shown.groups, shown.excluded, shown.file)
    if shown.resend is not None:
        whom = f"the {shown.resend.state.value} messages of task {shown.resend.task}"
    to = f"{number(shown.numbers or shown.recipients)}{' ' if shown.source is Source.TYPED else ' in '}{whom}"
    if shown.numbers and shown.recipients > shown.numbers:
        to += f", of whom some get more than one: {number(shown.recipients)} SMS"
    sender = escape(shown.application)
    if shown.signature:
        sender = f"【{escape(shown.signature)}】 through {sender}"
    is_same = shown.segments == shown.segments_each * shown.recipients
    each = number(shown.segments_each) if is_same else f"up to {number(shown.segments_each)}"
    facts = [("Recipients", to)]
    if left_out := _left_out(shown):
        facts.append(("Left out", left_out))
    facts.append(("Segments", f"{each} each · {number(shown.segments)} in total"))
    if shown.price is not None:
        facts.append(("Price", f"{money(shown.price.amount)} {escape(shown.price.currency)}"))
    facts.append(("When", _when(shown, zone)))
    if shown.takes is not None:
        facts.append(("Handed over", _finish(shown, zone, now)))
    if len(shown.countries) > 1 or shown.region is Region.INTERNATIONAL:
        facts.append(("Countries", _countries(shown)))
    name = f"{bold(shown.name)}, " if shown.name else ""
    facts.append(("Template", f"{name}{bold(shown.template)} · {shown.sms_type.value}"))
    facts.append(("From", sender))
    return facts


def _left_out(shown: Preview) -> str:
    """Each number that gets nothing, or nothing more, by the reason."""
    missing = shown.missing_count if shown.without_missing else 0
    counts = [
        (shown.in_excluded, "in the excluded groups"),
        (shown.outside_region, f"that {escape(shown.application)} may not send to"),
        (shown.opted_out, "opted out"),
        (missing, "without all values"),
        (shown.duplicates, "there twice, sent once"),
    ]
    return " · ".join(f"{number(count)} {why}" for count, why in counts if count)


def _when(shown: Preview, zone: ZoneInfo) -> str:
    if shown.at is None:
        return "Now, as soon as you press the button"
    when = describe_time(shown.at, zone)
    if is_doubled(shown.at, zone):
        when += ". Clocks are set back that day and this time comes twice; "
        when += "this is the first" if not shown.at.astimezone(zone).fold else "this is the second"
    return when


def _finish(shown: Preview, zone: ZoneInfo, now: datetime) -> str:
    assert shown.takes is not None
    rate = f"at {shown.requests_per_second:g} requests a second"
    if shown.takes < timedelta(seconds=5):
        return f"Within seconds, {rate}"
    end = ((shown.at or now) + shown.takes).replace(second=0, microsecond=0) + timedelta(minutes=1)
    return f"By {describe_time(end, zone)}: {duration(shown.takes)} {rate}"


def _countries(shown: Preview) -> str:
    parts = [f"{country(region)} {number(count)}" for region, count in shown.countries[:_COUNTRIES_SHOWN]]
    if more := shown.countries[_COUNTRIES_SHOWN:]:
        parts.append(
            f"{counted(len(more), 'more country', 'more countries')} {number(sum(count for _, count in more))}"
        )
    return escape(" · ".join(parts))


def _warnings(shown: Preview, zone: ZoneInfo, now: datetime) -> list[str]:
    at = shown.at or now
    warnings = []
    if shown.lacks_values:
        warnings.append(_missing(shown))
    if shown.allowed_from is not None:
        warnings.append(
            f"It is {at.astimezone(MAINLAND_ZONE):%H:%M} in mainland China then. Carriers refuse promotional SMS "
            f"outside {_hours(PROMOTION_HOURS)}; they take it again at {describe_time(shown.allowed_from, zone)}."
        )
    else:
        if shown.outside_hours:
            warnings.append(_uncivil(shown, at))
        if shown.takes is not None and not may_send(shown.sms_type, shown.region, at + shown.takes):
            warnings.append(
                f"It will not be through by {PROMOTION_HOURS[1]}:00 in mainland China. From then on carriers refuse "
                "promotional SMS, and with them what is left."
            )
    if shown.overlap:
        warnings.append(
            f"{number(shown.overlap)} of these got another promotional SMS in the last 24 hours. "
            "People who get many opt out."
        )
    if shown.outside_region:
        left_out = counted(shown.outside_region, "number is", "numbers are")
        warnings.append(
            f"{left_out} left out, because {escape(shown.application)} sends only to {REGIONS[shown.region]}."
        )
    if not shown.receipts_reach_us:
        warnings.append(
            "Delivery will stay unknown: PUBLIC_URL is not set, so the carrier cannot tell this bot what arrived."
        )
    return warnings


def _uncivil(shown: Preview, at: datetime) -> str:
    if shown.region is Region.MAINLAND:
        return (
            f"That is {at.astimezone(MAINLAND_ZONE):%H:%M} for all {number(shown.outside_hours)} recipients, outside "
            f"{_hours(CIVIL_HOURS)} in mainland China. At such hours people complain."
        )
    return (
        f"For {number(shown.outside_hours)} of {counted(shown.recipients, 'recipient')} it then is, or may be, outside "
        f"{_hours(CIVIL_HOURS)} where they live. At such hours people complain."
    )


def _missing(shown: Preview) -> str:
    """3 of 12,483 have no {name}: row 7 (+86 138****0001), …"""
    rows = shown.recipients + shown.missing_count + shown.duplicates
    parts = [
        f"{number(count)} {'has' if count == 1 else 'have'} no {code(f'{{{name}}}')}"
        for name, count in shown.missing.items()
    ]
    where = ", ".join(f"row {each.row} ({mask(each.number)})" for each in shown.missing_rows)
    more = "…" if shown.missing_count > len(shown.missing_rows) else ""
    which = "that row is" if shown.missing_count == 1 else "those rows are"
    return (
        f"Of {counted(rows, 'row')}, {listed(parts)}: {where}{more}. Carriers refuse a text with a gap, so nothing "
        f"can be sent before {which} left out, or the file is mended and dropped again."
    )


def _hours(span: tuple[int, int]) -> str:
    return f"{span[0]:02}:00–{span[1]:02}:00"


def send_form(
    groups: Sequence[Group],
    templates: Sequence[Template],
    chosen_group: int | None = None,
    left_out: Sequence[NotShown] = (),
    *,
    file: Import | None = None,
    signatures: Sequence[str] = (),
) -> View:
    """The form of `/sms-send` without arguments; its menus' values are ids, `groups` those to be offered first.

    `left_out` are the templates that the menu does not offer. With a `file` that is the source; else one of groups, the
    pool and typed numbers is to be given. `signatures` are those to choose from for a universal template.
    """
    has_several = len({each.application_id for each in templates}) > 1
    template_options = [
        blocks.option(
            f"{blocks.cut(each.name, 30)} · {each.sms_type.value}" + (f" · {each.application}" if has_several else ""),
            str(each.id),
        )
        for each in templates
    ]
    template = blocks.field("template", "Template", blocks.menu("template", "Choose a template", template_options))
    if file is not None:
        rows = counted(file.imported, "row")
        fields = [blocks.context(f"To {rows} of {bold(file.file.name)}, for this send alone."), template]
    else:
        fields = [*_group_fields(groups, chosen_group), template, *_typed_fields()]
    after_template = fields.index(template) + 1
    fields[after_template:after_template] = _not_offered(left_out)
    if signatures:
        options = [blocks.option(name, name) for name in signatures]
        menu = blocks.menu("signature", "The template's own", options)
        hint = "Only for a universal template; every other one has its own."
        fields.append(blocks.field("signature", "Signature", menu, optional=True, hint=hint))
    if groups:
        without = many("Nobody is left out", groups)
        hint = "Numbers that are in these groups get nothing, also where they are above."
        fields.append(blocks.field("exclude", "Without", without, optional=True, hint=hint))
    at = {"type": "plain_text_input", "placeholder": blocks.plain("Now", 150)}
    hint = "Leave empty to send now, or write a time such as tomorrow 10:00 or 2026-12-24 09:30, a month ahead at most."
    fields.append(blocks.field("at", "When", at, optional=True, hint=hint))
    name = {"type": "plain_text_input", "max_length": 60}
    fields.append(blocks.field("name", "Name of the task", name, optional=True))
    return blocks.form(FORM, "Send SMS", "Preview", fields)


def _group_fields(groups: Sequence[Group], chosen_group: int | None) -> list[Block]:
    if not groups:
        return []
    chosen = next((group for group in groups if group.id == chosen_group), None)
    menu = many("Choose one or more groups", groups, chosen)
    hint = menu_hint(groups, "/sms-send group:name")
    every = {
        "type": "checkboxes",
        "options": [blocks.option("The whole pool", "pool")],
    }
    return [
        blocks.field("group", "To groups", menu, optional=True, hint=hint),
        blocks.field(
            "pool",
            "Or to everybody",
            every,
            optional=True,
            hint="Every number of a group of the template's SMS type, each once.",
        ),
    ]


def _typed_fields() -> list[Block]:
    numbers = {
        "type": "plain_text_input",
        "multiline": True,
        "max_length": 3000,
        "placeholder": blocks.plain("13800138000\n85251234567", 150),
    }
    wrong = {"type": "checkboxes", "options": [blocks.option("Leave wrong lines out", LEAVE_WRONG_OUT)]}
    hint = f"Up to {MOST_NUMBERS}, one a line, for this send alone; they are in no group."
    return [
        blocks.field("numbers", "Or to typed numbers", numbers, optional=True, hint=hint),
        blocks.field("wrong", "If some lines are wrong", wrong, optional=True),
    ]


def test_form(own: int | None) -> View:
    """Whom a test goes to; `own` is the person's number where it is known."""
    mine: dict[str, Any] = {"type": "plain_text_input", "placeholder": blocks.plain("13800138000", 150)}
    if own is not None:
        mine["initial_value"] = format_e164(own)
    others = {"type": "plain_text_input", "multiline": True, "max_length": 300}
    note = "The text is sent now, as a task of its own that is marked as a test. It is billed like any other SMS."
    return blocks.form(
        TEST_FORM,
        "Test send",
        "Send the test",
        [
            blocks.field("own", "Your own number", mine, optional=True, hint="I remember it for your next test."),
            blocks.field(
                "others", f"Other numbers, {MOST_TEST_NUMBERS} at most", others, optional=True, hint="One a line."
            ),
            blocks.context(note),
        ],
    )


def wrong_test_lines(wrong: Sequence[WrongLine]) -> str:
    """What is wrong with numbers for a test; plain text, for under the field."""
    return wrong_lines(wrong, "Correct them.")


def _not_offered(templates: Sequence[NotShown]) -> list[Block]:
    if not templates:
        return []
    return [blocks.context(f"Not shown: {not_shown(templates)}. `/sms-templates` says more about each.")]
