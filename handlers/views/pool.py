"""What people see of the customer pool: totals, one number, hits of a search. All of it is private."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.replies import Block, Say
from handlers.views import blocks, opt_outs
from handlers.views.countries import country
from handlers.views.words import bold, counted, escape, moment, named, number, person, several
from services.carriers.words import describe
from services.numbers import format_e164
from services.pool import Fate, Found, Heard, Membership, Removed, SentMessage, Totals, Whereabouts

LOOK_UP = "pool_look_up"
REMOVE = "pool_remove"

_COUNTRIES_SHOWN = 15
_TASKS_SHOWN = 10
_REPLY_SHOWN = 300
_LINES_LIMIT = blocks.SECTION_LIMIT - 100
_FATES = {
    Fate.WAITING: "waiting to be sent",
    Fate.HANDING_OVER: "being handed over right now",
    Fate.HELD_BACK: "held back, not sent",
    Fate.SKIPPED: "not sent: had opted out",
    Fate.ACCEPTED: "unknown: accepted by the carrier, no receipt yet",
    Fate.UNKNOWN: "unknown: the carrier did not answer",
    Fate.DELIVERED: "delivered",
    Fate.FAILED: "failed",
    Fate.REFUSED: "refused",
    Fate.SKIPPED: "not sent: the person has opted out",
}


def totals(found: Totals) -> Say:
    """How many numbers there are: by SMS type, country and group."""
    if not found.numbers:
        text = "The customer pool is empty. Drop a spreadsheet of mobile numbers in a channel, or use `/sms-enter`."
        return Say(text.replace("`", ""), [blocks.section(text)])
    text = f"{counted(found.numbers, 'number')} in {counted(found.group_count, 'group')}"
    types = [f"{sms_type.value}: {number(size)}" for sms_type, size in found.types]
    groups = [f"{bold(group.name)} ({group.sms_type.value}): {number(group.size)}" for group in found.groups]
    countries = [f"{country(region)}: {number(size)}" for region, size in found.countries[:_COUNTRIES_SHOWN]]
    return Say(
        f"Customer pool: {text}",
        [
            blocks.section(f"*Customer pool*\n{text}"),
            _lines("By SMS type", types, len(types)),
            _lines("By country", countries, len(found.countries)),
            _lines("Largest groups", groups, found.group_count),
            blocks.context(
                "A number in several groups counts once in all but the last list. "
                "`/sms-pool 13800138000` shows one number, `/sms-pool 8000` finds those that end so."
            ),
        ],
    )


def whereabouts(found: Whereabouts) -> Say:
    """One number: where it is, what it was sent and what became of that, and the button to remove it."""
    shown = format_e164(found.number)
    head = f"{shown} · {country(found.region)}"
    body = [blocks.section(f"*{shown}* · {country(found.region)}")]
    if found.opted_out is not None:
        body.append(blocks.section(opt_outs.line(found.opted_out)))
    if found.groups:
        body.append(_lines("In groups", [_membership(each) for each in found.groups], len(found.groups)))
    else:
        body.append(blocks.section("It is in no group."))
    if found.messages:
        messages = [_message(each) for each in found.messages]
        body.append(_lines("Sent to it, newest first", messages, found.message_count))
    else:
        body.append(blocks.section("Nothing was ever sent to it."))
    if found.replies:
        body.append(_lines("Its last replies", [_heard(each) for each in found.replies], len(found.replies)))
    if found.groups:
        body.append(blocks.actions(_remove_button(found)))
    return Say(head, body)


def hits(last_digits: str, found: Found) -> Say:
    """The numbers that a search has found, each with a button."""
    if not found.numbers:
        return Say(f"No number in the pool ends in {last_digits}.")
    text = f"{counted(len(found.numbers), 'number')} in the pool end{'s' * (len(found.numbers) == 1)} in {last_digits}"
    if found.more:
        text = f"The first {len(found.numbers)} numbers in the pool that end in {last_digits}; add digits to see fewer"
    rows = [
        blocks.section(format_e164(each), accessory=blocks.button(LOOK_UP, "Show", str(each))) for each in found.numbers
    ]
    return Say(text, [blocks.section(text), *rows])


def removed(found: Removed, number_: int) -> str:
    """The answer to a removal: from where, and which tasks keep their copy."""
    shown = format_e164(number_)
    if not found.groups:
        text = f"{shown} is in no group any more."
    else:
        text = f"{shown} is removed from {named(found.groups)}."
    if found.tasks:
        tasks = several([str(task) for task in found.tasks], most=_TASKS_SHOWN)
        keep = f"Task {tasks} keeps its" if len(found.tasks) == 1 else f"Tasks {tasks} keep their"
        text += f" {keep} own copy, confirmed before; `/sms-cancel` and `/sms-stop` act on a whole task."
    return text


def _membership(each: Membership) -> str:
    line = f"{bold(each.group.name)} · {each.group.sms_type.value}"
    if each.since is None:
        return line
    by = f" by {person(each.by)}" if each.by else ""
    source = f"from {bold(each.file)}, row {number(each.row)}, imported{by}" if each.file else f"typed{by}"
    return f"{line} · since {moment(each.since)}, {source}"


def _message(each: SentMessage) -> str:
    line = f"Task {each.task}, {bold(each.template)} · {moment(each.at)} · *{_FATES[each.fate]}*"
    if each.fate not in (Fate.FAILED, Fate.REFUSED):
        return line
    words = describe(each.carrier, each.code)
    return f"{line}: {escape(words)} ({escape(each.code)})" if words != each.code else f"{line} ({escape(each.code)})"


def _heard(each: Heard) -> str:
    asked = {True: " · asked for no promotional SMS", False: " · allowed them again", None: ""}[each.opts_out]
    return f"{moment(each.at)}: {escape(blocks.cut(each.text.strip(), _REPLY_SHOWN)) or 'no text'}{asked}"


def _remove_button(found: Whereabouts) -> dict[str, object]:
    groups = counted(len(found.groups), "group")
    text = f"It is taken out of {groups}. Tasks that are confirmed already keep their own copy and still send to it."
    return blocks.button(
        REMOVE,
        "Remove it everywhere",
        str(found.number),
        style="danger",
        confirm=blocks.confirmation(f"Remove {format_e164(found.number)}?", text, "Remove it", "Keep it"),
    )


def _lines(title: str, lines: Sequence[str], total: int) -> Block:
    """As many of the lines as a section takes, and how many of `total` are not shown."""
    shown = [f"*{title}*"]
    length = len(shown[0])
    for line in lines:
        length += len(line) + 3
        if length > _LINES_LIMIT:
            break
        shown.append(f"• {line}")
    more = total - len(shown) + 1
    return blocks.section("\n".join([*shown, f"• {number(more)} more"] if more > 0 else shown))
