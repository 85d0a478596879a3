"""The form of `/sms-enter`, what is wrong with its lines, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handlers.replies import Block, View
from handlers.views import blocks
from handlers.views.countries import how_numbers_are_written
from handlers.views.groups import SEND, choice, group_fields, menu_hint
from handlers.views.imports import keep_anyway, reason_in_words, were_kept
from handlers.views.words import bold, counted, listed, number, verb
from services.default_regions import MAINLAND
from services.entries import MOST_NUMBERS, WrongLine
from services.groups import Group
from services.imports import Import

FORM = "enter_form"
LEAVE_OUT = "leave_out"
KEEP_SET_ASIDE = "keep_set_aside"
KEEP = "enter_keep"
UNDO = "enter_undo"

_WRONG_SHOWN = 8
_ORIGINAL_SHOWN = 30


def enter_form(groups: Sequence[Group], chosen: Group | None = None, region: str = MAINLAND) -> View:
    """The console's form; `groups` are those to be offered first. Numbers without country code are of `region`."""
    numbers = {
        "type": "plain_text_input",
        "multiline": True,
        "max_length": 3000,
        "placeholder": blocks.plain("13800138000\n85251234567", 150),
    }
    wrong = {
        "type": "checkboxes",
        "options": [
            blocks.option("Take the right ones and leave these out", LEAVE_OUT),
            blocks.option("Take landlines and those in no assigned range as well", KEEP_SET_ASIDE),
        ],
    }
    hint = (
        f"Up to {MOST_NUMBERS} numbers, one a line: {how_numbers_are_written(region)}, such as "
        f"{'85251234567' if region == MAINLAND else '8613800138000'}."
    )
    fields = [
        blocks.field("numbers", "Mobile numbers", numbers, hint=hint),
        blocks.field("wrong", "If some lines are wrong", wrong, optional=True),
    ]
    if options := choice(groups, chosen):
        menu = blocks.menu("group", "Choose a group", options)
        if chosen is not None:
            menu["initial_option"] = options[0]
        limited = menu_hint(groups, "/sms-enter group:name")
        fields.append(blocks.field("group", "Existing group", menu, optional=True, hint=limited))
    name, sms_type = group_fields()
    has_choice = bool(options)
    fields += [
        {**name, "label": blocks.plain("Or a new group" if has_choice else "New group", 2000), "optional": has_choice},
        {**sms_type, "label": blocks.plain("SMS type of the new group", 2000), "optional": has_choice},
    ]
    return blocks.form(FORM, "Enter numbers", "OK", fields)


def wrong_lines(wrong: Sequence[WrongLine], way_out: str = "Correct them, or tick below to leave them out.") -> str:
    """Each wrong line by its number, what is wrong and what it may mean; plain text, for under the field."""
    told = [_wrong_line(each) for each in wrong[:_WRONG_SHOWN]]
    if more := [each.line for each in wrong[_WRONG_SHOWN:]]:
        told.append(f"Also wrong: line {more[0]}." if len(more) == 1 else f"Also wrong: lines {_ranges(more)}.")
    return " ".join([*told, way_out])


def _ranges(lines: Sequence[int]) -> str:
    """Ascending numbers as people write them: 9–12, 15 and 17–20."""
    found: list[list[int]] = []
    for line in lines:
        if found and line == found[-1][-1] + 1:
            found[-1][1:] = [line]
        else:
            found.append([line])
    return listed(["–".join(map(str, each)) for each in found])


def _wrong_line(wrong: WrongLine) -> str:
    verdict = wrong.verdict
    assert verdict.reason is not None
    what = f"Line {wrong.line} ({blocks.cut(wrong.text, _ORIGINAL_SHOWN)}): {reason_in_words(verdict.reason)}"
    return f"{what}; did you mean {verdict.suggestion}?" if verdict.suggestion else f"{what}."


def entered(done: Import, group: Group) -> tuple[str, list[Block]]:
    """The counts, every line in exactly one, and the way on."""
    parts = [f"*{number(done.imported)} imported*"]
    if done.already_in_group:
        parts.append(f"{number(done.already_in_group)} already in the group")
    if done.by_country_code:
        parts.append(f"{number(done.by_country_code)} of these read as country code + number")
    removed = []
    if done.duplicates:
        removed.append(counted(done.duplicates, "duplicate"))
    if done.invalid:
        removed.append(f"{number(done.invalid)} wrong")
    if removed:
        parts.append(f"{listed(removed)} left out")
    if done.set_aside:
        parts.append(f"{number(done.set_aside)} set aside")
    if removed or done.set_aside:
        parts.append("you are not charged for those")
    line = " · ".join(parts)
    note = f"typed numbers → {bold(group.name)}, which now has {counted(group.size, 'customer')}"
    if done.kept:
        note += f" · {were_kept(done.kept)}"
    return line.replace("*", ""), [blocks.section(line), blocks.context(note), blocks.actions(*_ways_on(done, group))]


def _ways_on(done: Import, group: Group) -> list[dict[str, Any]]:
    ways = [blocks.button(SEND, "Send SMS", str(group.id))]
    if done.keepable:
        ways.append(blocks.button(KEEP, keep_anyway(done.keepable), str(done.id)))
    if done.imported:
        text = f"The numbers that you added are taken out of {group.name} again."
        confirm = blocks.confirmation("Undo?", text, "Undo", "Leave it")
        ways.append(blocks.button(UNDO, "Undo", str(done.id), confirm=confirm))
    return ways


def undone(ended: Import) -> tuple[str, list[Block]]:
    """What was typed is out of the group again."""
    group = bold(ended.group or "")
    if ended.taken_out:
        added = f"the {counted(ended.taken_out, 'number')} that you added"
        text = f"Undone: {added} {verb(ended.taken_out, 'is', 'are')} out of {group}."
    else:
        text = f"Undone: {group} had none of the numbers that you added any more."
    return text, [blocks.section(text)]
