"""Every sentence that tells a person what went wrong: what happened, which value, what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from handlers import content_errors
from handlers.arguments import BadArguments
from handlers.dates import UnclearDay
from handlers.times import PastTime, SkippedTime, TooFarAhead, UnclearTime, describe_time
from handlers.views.words import as_plain, bold, code, escape, listed, named, number, person, person_or_group, several
from services.errors import BadFile, NotAllowed, ServiceError, UnknownThing
from services.imports import GROUP_GONE, NO_VALID_NUMBER
from services.numbers import format_e164
from services.states import Source


def explain(error: ServiceError, zone: ZoneInfo) -> str:
    """One helpful sentence for an error a person can act on. Times are in the person's zone."""
    for kind, sentence in _KINDS.items():
        if isinstance(error, kind):
            return sentence(error, zone)
    raise TypeError(f"no sentence for {error!r}")


def explain_in_form(error: ServiceError, zone: ZoneInfo) -> str:
    """The same for under a form's field: without marks, which Slack shows there as they are, and without keys."""
    return as_plain(re.sub(r'`at:("[^"]*")`', r"\1", explain(error, zone)))


def is_mistyped(error: ServiceError) -> bool:
    """Whether how the command is written helps: not where it was understood and a rule refuses it."""
    return not isinstance(error, NotAllowed) or error.rule == "key_missing"


def explain_failure(why: str, file_name: str) -> str:
    """Why an import failed, from `Import.failure`."""
    if why == GROUP_GONE:
        return f"Import failed: the group was deleted before {bold(file_name)} was read. Nothing was imported."
    if why == NO_VALID_NUMBER:
        return "Import failed: the file has no valid phone number."
    return f"Import failed: {bold(file_name)} {_FILES[why]}"


def unexpected(reference: str) -> str:
    """For a defect of ours; the reference stands in the log beside what happened."""
    return f"Something went wrong on our side. Your administrator finds it in the log under reference {reference}."


def form_too_late() -> str:
    """Slack gives three seconds to open a form."""
    return "The form came too late for Slack to open it. Try again."


def still_working() -> str:
    """For a form that had to close before what it asked for was done."""
    return "This takes a moment. The answer comes here when it is done."


def _unknown(error: UnknownThing, _zone: ZoneInfo) -> str:
    if error.kind == "task":
        return _unknown_task(error.name)
    if error.kind == "person":
        who = bold(error.name)
        return f"I do not know who {who} is. Type `by:@` and choose a person from Slack's list, or write `by:me`."
    if error.kind in _GONE:
        return _GONE[error.kind]
    no_such = f"There is no {error.kind} {bold(error.name)}."
    by_key = {each.casefold(): each for each in error.known}
    near = get_close_matches(error.name.casefold(), by_key, n=1, cutoff=0.5)
    if near:
        return f"{no_such} Did you mean {bold(by_key[near[0]])}?"
    if by_key:
        return f"{no_such} Choose {named([*by_key.values()], 'or')}."
    return f"{no_such} {_HOW_TO_GET[error.kind]}"


def _unknown_task(name: str) -> str:
    if not name:
        return "Which task? `/sms-tasks` lists them with their numbers."
    if not name.lstrip("#＃").isdecimal():
        return f"{bold(name)} is not the number of a task. `/sms-tasks` lists them with their numbers."
    return f"There is no task {bold(name)}. `/sms-tasks` lists them all."


_GONE = {
    **content_errors.GONE,
    "chosen group": "This group is no longer there. `/sms-groups` lists them all.",
    "draft": "This preview is no longer there. Run `/sms-send` again.",
    "import": "This file is no longer waiting. Drop it again.",
    "send file": "This file can no longer be sent to. Drop it again.",
    "typed numbers": "The numbers typed for it are no longer kept. Run `/sms-send` and type them again.",
    "column": "The file has no such column. Press *Choose the column* again.",
}

# Where there is none at all to choose from.
_HOW_TO_GET = {
    "group": "Drop a spreadsheet of numbers in the channel to make one.",
    "template": "`/sms-templates` takes a new one.",
    "signature": "`/sms-signatures` takes a new one.",
    "application": "Your administrator adds it to the settings.",
}


def _arguments(error: BadArguments, _zone: ZoneInfo) -> str:
    value, keys = escape(error.value), [f"`{key}:`" for key in error.known]
    if error.why == "unknown_key":
        near = get_close_matches(error.value.lower(), error.known, n=1, cutoff=0.5)
        takes = f"It takes {listed(keys)}." if keys else "Leave it out."
        hint = f"Did you mean `{near[0]}:`?" if near else takes
        return f"`{value}:` is not something this command knows. {hint}"
    sentences = {
        "no_key": f"I cannot place {bold(error.value)}. "
        + (f"Write it behind {listed(keys, 'or')}; a value with spaces needs quotes." if keys else "Leave it out."),
        "repeated_key": f"`{value}:` stands there twice. Write it once; several values go with commas.",
        "no_value": f"`{value}:` has no value. Write one behind it, or leave `{value}:` out.",
        "open_quote": f"The quote in {bold(error.value)} is never closed. Add the closing quote.",
        "one_value": f"`{value}:` takes one value. A value that holds a comma needs quotes.",
    }
    return sentences[error.why]


def _unclear(error: UnclearTime, _zone: ZoneInfo) -> str:
    examples = listed([f'`at:"{example}"`' for example in error.examples], "or")
    return f"I do not understand the time {bold(error.value)}. Write it like {examples}."


def _unclear_day(error: UnclearDay, _zone: ZoneInfo) -> str:
    return f"{bold(error.value)} is no day that I understand. Write it like `2026-11-24`, `today` or `yesterday`."


def _past(error: PastTime, zone: ZoneInfo) -> str:
    hint = f'Did you mean `at:"{error.suggestion}"`?' if error.suggestion else "Choose a later time."
    return f"{bold(error.value)} is {describe_time(error.moment, zone)}, which is over. {hint}"


def _far(error: TooFarAhead, zone: ZoneInfo) -> str:
    return (
        f"{bold(error.value)} is {describe_time(error.moment, zone)}, more than a month ahead. "
        f"Choose a time until {describe_time(error.latest, zone)}."
    )


def _skipped(error: SkippedTime, zone: ZoneInfo) -> str:
    return (
        f"{bold(error.value)} does not exist in {error.zone}: clocks jump over it that day. "
        f"Did you mean {describe_time(error.instead, zone)}?"
    )


def _bad_file(error: BadFile, _zone: ZoneInfo) -> str:
    return f"This file {_FILES[error.why]}"


_FILES = {
    "not_a_spreadsheet": "is not a spreadsheet I can read. Save it as .xlsx or .csv and drop it again.",
    "empty": "is empty. Put one phone number in each row and drop it again.",
    "all_hidden": "has nothing in it that is not hidden. Show its rows and sheets, save it and drop it again.",
    "no_number_column": "has no column of phone numbers. Name one column “Mobile” and drop it again.",
    "encrypted": "is protected with a password. Save it without one and drop it again.",
    "truncated": "is damaged: a part of it is missing. Save it again and drop the new file.",
    "too_large": "is larger than 30 MB. Split it into smaller files and drop them one after the other.",
    "expands_too_much": "unpacks to far more than a list of numbers. Copy the numbers into a new file and drop that.",
    "login_page": "could not be downloaded from Slack, which sent a login page instead. "
    "Ask your administrator to check the bot's `files:read` permission.",
    "not_downloadable": "could not be downloaded from Slack. Drop it again; if that fails too, ask your administrator.",
    "unexpected": "ran into a defect of ours, and nothing of it was imported. Your administrator finds it in the log.",
}


def _not_allowed(error: NotAllowed, zone: ZoneInfo) -> str:
    return _RULES[error.rule](error.facts, zone)


def _time(moment: object, zone: ZoneInfo) -> str:
    assert isinstance(moment, datetime)
    return describe_time(moment, zone)


def _no_column(facts: Any) -> str:
    """Which variables nothing fills, and what there is."""
    variables = [code(f"{{{name}}}") for name in facts["variables"]]
    lack = f"{bold(facts['template'])} has {listed(variables)}, which no column fills"
    if facts["source"] is Source.TYPED:
        return f"{lack}: typed numbers have no columns. Drop a file that has them, or choose another template."
    where = bold(facts["file"]) if facts["file"] else "the file behind these numbers"
    if not facts["columns"]:
        return f"{lack}: {where} has numbers only. Drop a file that has such a column, or choose another template."
    return (
        f"{lack}: besides the numbers there {'is' if len(facts['columns']) == 1 else 'are'} "
        f"{named(facts['columns'], most=10)}. Give a column that name in a new file, or choose another template."
    )


def _no_recipients(facts: Any) -> str:
    """Nobody is left; why, and the way out of the first reason."""
    where = {Source.POOL: "the pool", Source.FILE: bold(facts["file"] or ""), Source.TYPED: "the typed numbers"}
    where[Source.RESEND] = "these messages"
    nobody = f"There is nobody to send to in {where.get(facts['source']) or named(facts['groups'])}"
    reasons = [
        (facts["excluded"], "in the excluded groups", "Exclude less."),
        (facts["outside_region"], "that the application may not send to", "Choose a template of another application."),
        (facts["opted_out"], "opted out", "Nothing promotional can be sent to them."),
        (facts["missing_count"], "without a value for each variable", "Mend the file and drop it again."),
    ]
    found = [(f"{number(count)} {why}", way_out) for count, why, way_out in reasons if count]
    if not found:
        return f"{nobody}. Drop a spreadsheet of numbers in the channel."
    return f"{nobody}: {listed([why for why, _ in found])}. {found[0][1]}"


def _holders(ids: Sequence[str]) -> str:
    if not ids:
        return "Nobody has it: your administrator names them in the settings, under `[roles]`."
    return f"Ask {several([person_or_group(each) for each in ids], 'or')}."


def _can_be_done(facts: Any) -> str:
    """What can be done with a task in its state, as a sentence."""
    no = facts["number"]
    return {
        "scheduled": f"`/sms-cancel {no}` takes it back until 5 minutes before its time, `/sms-stop {no}` at any time.",
        "sending": f"`/sms-pause {no}` pauses it, `/sms-stop {no}` stops it.",
        "paused": f"`/sms-resume {no}` goes on with it, `/sms-stop {no}` stops it.",
    }.get(facts["state"], f"`/sms-task {no}` shows what became of it, `/sms-delete {no}` takes it off the list.")


_RULES: dict[str, Callable[[Any, ZoneInfo], str]] = {
    **content_errors.RULES,
    "bot_not_in_channel": lambda f, z: (
        "I am not in this channel, so I could not post the result here. Write `/invite @sms` and try again."
    ),
    "role_needed": lambda f, z: f"This needs the role *{f['role']}*. {_holders(f['who'])}",
    "key_missing": lambda f, z: f"`{f['key']}:` is missing. Write it like `{f['example']}`.",
    "group_name": lambda f, z: f"A group name has 1 to {f['limit']} characters. Choose another one.",
    "group_exists": lambda f, z: (
        f"A group {bold(f['group'])} exists already. Choose another name, or import into that one."
    ),
    "group_importing": lambda f, z: (
        f"A file is being imported into {bold(f['group'])} right now. Wait until that is done and try again."
    ),
    "merge_with_itself": lambda f, z: "A group cannot be merged with itself. Choose another one.",
    "merge_types_differ": lambda f, z: (
        f"Group {bold(f['group'])} is of type {f['group_type']}, and {bold(f['other'])} is of type {f['other_type']}. "
        "Only groups of the same type can be merged."
    ),
    "one_country": lambda f, z: (
        f"The numbers of {bold(f['group'])} are all of one country, so there is nothing to split."
    ),
    "no_lines": lambda f, z: "There is no number in it. Write one number a line.",
    "too_many_lines": lambda f, z: (
        f"These are {number(f['number'])} lines, and {number(f['limit'])} is the most that can be typed at once. "
        "Drop a spreadsheet in the channel for more."
    ),
    "verification_group": lambda f, z: "A group cannot be of type verification. Choose promotional or notification.",
    "verification_template": lambda f, z: (
        f"{bold(f['template'])} is a verification template, and those are never sent in bulk, to groups or any other "
        "list. Choose another template."
    ),
    "no_column": lambda f, z: _no_column(f),
    "values_missing": lambda f, z: (
        "Nothing was sent: some recipients lack a value for the text. Run `/sms-send` again, which says which."
    ),
    "pool_and_group": lambda f, z: (
        "`pool` stands for every group of the template's SMS type. Leave out `pool`, or leave out `group:`."
    ),
    "no_source": lambda f, z: "Choose groups, tick the whole pool, or type numbers here.",
    "several_sources": lambda f, z: (
        "Groups, the whole pool and typed numbers cannot be mixed. Leave only one of the three."
    ),
    "no_test_number": lambda f, z: "Type your own number, or other ones below.",
    "too_many_tests": lambda f, z: (
        f"These are {number(f['number'])} numbers, and {number(f['limit'])} is the most here. Leave some out."
    ),
    "draft_changed": lambda f, z: (
        "No test was sent: what the preview shows has changed since. Run `/sms-send` again for a new one."
    ),
    "test_at_night": lambda f, z: (
        "No test was sent: it is a promotional SMS as well, and carriers in mainland China refuse those outside "
        f"08:00–22:00. They take it again at {_time(f['at'], z)}."
    ),
    "test_outside_region": lambda f, z: (
        f"No test was sent: {escape(format_e164(f['number']))} is not a number that application "
        f"{bold(f['application'])} may send to. Choose another number."
    ),
    "test_opted_out": lambda f, z: (
        f"No test was sent: {escape(format_e164(f['number']))} has opted out of promotional SMS. Choose another number."
    ),
    "template_gone": lambda f, z: (
        "Nothing was sent: this template can no longer be used. Run `/sms-send` again with another one."
    ),
    "sms_type_differs": lambda f, z: (
        f"Template {bold(f['template'])} is of type {f['template_type']}, and group "
        f"{bold(f['group'])} is of type {f['group_type']}. Choose a {f['group_type']} template, or a "
        f"{f['template_type']} group."
    ),
    "several_applications": lambda f, z: (
        f"More than one application has a template {bold(f['template'])}. "
        f"Add `app:` with {named(f['applications'], 'or')} to the command."
    ),
    "other_signature": lambda f, z: (
        f"Template {bold(f['template'])} belongs to the signature {bold(f['signature'])}. "
        "Leave out `signature:`, or choose a universal template."
    ),
    "signature_needed": lambda f, z: (
        f"Template {bold(f['template'])} is universal. Add `signature:` with {named(f['signatures'], 'or')} "
        "to the command."
    ),
    "no_recipients": lambda f, z: _no_recipients(f),
    "already_confirmed": lambda f, z: (
        f"This is task {f['number']} already, confirmed by {person(f['by'])}; it is sent once. "
        "`/sms-tasks` shows how it goes."
    ),
    "draft_gone": lambda f, z: "This preview is no longer there. Run `/sms-send` again.",
    "time_passed": lambda f, z: (
        f"Nothing was sent: {_time(f['at'], z)} passed before you confirmed. Run `/sms-send` again with another time."
    ),
    "not_cancellable": lambda f, z: (
        f"Task {f['number']} is {f['state']}, and only a scheduled task can be cancelled. {_can_be_done(f)}"
    ),
    "too_late_to_cancel": lambda f, z: (
        f"Task {f['number']} starts at {_time(f['at'], z)}, in less than 5 minutes, "
        f"and can no longer be cancelled. `/sms-stop {f['number']}` stops it."
    ),
    "task_forgotten": lambda f, z: (
        f"The numbers of task {f['number']} were deleted on {_time(f['at'], z)}, as long after it as your "
        "administrator's settings say. Its counts stay: `/sms-tasks` shows them."
    ),
    "not_stoppable": lambda f, z: (
        f"Task {f['number']} is {f['state']}, so there is nothing left to stop. {_can_be_done(f)}"
    ),
    "not_pausable": lambda f, z: (
        f"Task {f['number']} is {f['state']}, and only a task that is sending can be paused. {_can_be_done(f)}"
    ),
    "not_resumable": lambda f, z: (
        f"Task {f['number']} is {f['state']}, and only a paused task can go on. {_can_be_done(f)}"
    ),
    "not_deletable": lambda f, z: (
        f"Task {f['number']} is {f['state']}, and only a task that is over can be deleted. {_can_be_done(f)}"
    ),
    "already_deleted": lambda f, z: (
        f"Task {f['number']} is off the list already; {person(f['by'])} deleted it. "
        f"`/sms-task {f['number']}` still shows it."
    ),
    "not_editable": lambda f, z: (
        f"Task {f['number']} is {f['state']}, and only a scheduled task can be edited. {_can_be_done(f)}"
    ),
    "too_late_to_edit": lambda f, z: (
        f"Task {f['number']} starts at {_time(f['at'], z)}, in less than 5 minutes, "
        f"and can no longer be edited. `/sms-stop {f['number']}` stops it."
    ),
    "edit_time_passed": lambda f, z: (
        f"{_time(f['at'], z)} is over, so task {f['number']} stays as it was. Choose a later time."
    ),
    "edit_hours": lambda f, z: (
        f"Carriers refuse promotional SMS at that hour, so task {f['number']} stays as it was. "
        f"The next time they take it is {_time(f['at'], z)}."
    ),
    "resume_hours": lambda f, z: (
        f"Carriers refuse promotional SMS at this hour, so task {f['number']} stays paused. They take it again at "
        f"{_time(f['at'], z)}: `/sms-resume {f['number']}` goes on with it then, `/sms-stop {f['number']}` stops it."
    ),
    "edit_template": lambda f, z: (
        f"This template cannot stand in for {bold(f['template'])} in task {f['number']}: it must be approved, of the "
        "same application and SMS type, and without variables. Choose another one."
    ),
    "task_name": lambda f, z: f"A task's name has at most {f['limit']} characters. Choose a shorter one.",
    "resend_running": lambda f, z: (
        f"Task {f['number']} is {f['state']}, and what did not arrive is known only when it is over. {_can_be_done(f)}"
    ),
    "nothing_to_resend": lambda f, z: (
        f"No message of task {f['number']} is {f['what']} any more, so there is nothing to send again. "
        f"`/sms-task {f['number']}` shows how it stands."
    ),
    "filters_too_long": lambda f, z: (
        f"These filters have {number(f['number'])} characters, and {number(f['limit'])} is the most. "
        "Write less of a name."
    ),
    "date_and_range": lambda f, z: (
        f"`date:` ({bold(f['name'])}) is one day, and `from:` and `to:` are a range. Use one or the other."
    ),
    "range_reversed": lambda f, z: (
        f"`from:` ({bold(f['first'])}) is after `to:` ({bold(f['last'])}). Turn them around."
    ),
    "changed_meanwhile": lambda f, z: (
        f"Task {f['number']} changed at the same moment. Look at `/sms-tasks` and try again."
    ),
    "column_chosen": lambda f, z: "Somebody has chosen the column already, or the import is over.",
    "import_over": lambda f, z: "This import is over already; there is nothing left to cancel.",
    "nothing_to_keep": lambda f, z: "These numbers have been kept already, or the import was undone.",
    "not_undoable": lambda f, z: "This import has been undone already.",
    "import_group_gone": lambda f, z: "The group of this import has been deleted, and its numbers with it.",
    "import_sent": lambda f, z: (
        f"This import can no longer be undone: task {f['number']} "
        + ("may have gone to" if f["forgotten"] else "holds")
        + " numbers that it brought. `/sms-pool` takes single numbers out."
    ),
    "no_such_number": lambda f, z: (
        f"{bold(f['name'])} is no phone number. Write a whole one such as `13800138000` or `85251234567`, or the last "
        "4 to 8 digits."
    ),
    "no_opt_out_number": lambda f, z: (
        f"{bold(f['name'])} is no phone number. Write a whole one such as `/sms-optouts 13800138000`."
        if f["name"]
        else "Which number? Write it behind, such as `/sms-optouts add 13800138000`."
    ),
    "not_opted_out": lambda f, z: (
        f"The number {format_e164(f['number'])} is not on the do-not-send list. `/sms-optouts` shows who is."
    ),
    "no_opt_outs": lambda f, z: "Nobody is on the do-not-send list, so there is nothing to export.",
    "group_not_given": lambda f, z: "Choose a group above, or name a new one.",
    "group_given_twice": lambda f, z: "Choose an existing group or name a new one, not both.",
    "sms_type_not_given": lambda f, z: "Choose what the new group is for.",
    "group_type_differs": lambda f, z: (
        f"Group {bold(f['group'])} exists already and is of type {f['group_type']}. "
        "Leave out `type:`, or choose another name."
    ),
    "import_begun": lambda f, z: (
        "This file is being imported already, or has been. Drop it again to import it once more."
    ),
}

_KINDS: dict[type[ServiceError], Callable[[Any, ZoneInfo], str]] = {
    UnknownThing: _unknown,
    BadArguments: _arguments,
    UnclearTime: _unclear,
    PastTime: _past,
    TooFarAhead: _far,
    SkippedTime: _skipped,
    BadFile: _bad_file,
    UnclearDay: _unclear_day,
    NotAllowed: _not_allowed,
}
