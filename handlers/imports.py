"""A file dropped in a channel: ask for the group, or start at once; and what can be done with an import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from handlers import arguments
from handlers.arguments import BadArguments
from handlers.errors import explain, explain_in_form
from handlers.replies import FieldErrors, Nothing, OpenForm, Replace, Reply, SendFile
from handlers.requests import Click, Command, Submission, Upload
from handlers.roles import Role
from handlers.views import imports as views
from handlers.views import opt_outs as opt_out_views
from handlers.views.words import bold
from services.errors import BadFile, NotAllowed, ServiceError, UnknownThing
from services.groups import Group, Groups
from services.imports import Import, Imports, UploadedFile
from services.spreadsheets.template import write_template
from services.spreadsheets.writer import Reject, write_rejects
from services.states import ImportState, SmsType

# Other files are none of our business, unless the message says group:… .
SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods", ".csv", ".tsv", ".txt")
# All that stands beside a file for the do-not-send list: among other words it might mean the opposite.
_OPT_OUTS = re.compile(rf"`?(?:/sms-)?({opt_out_views.BESIDE}|opt-outs)(?: import)?`?[.。]?", re.IGNORECASE)
TEMPLATE_NAME = "numbers-to-import.xlsx"


@dataclass(frozen=True, slots=True)
class Importing:
    """The services this file needs."""

    imports: Imports
    groups: Groups


def role_of(request: Upload) -> Role | None:
    """None for files that are not meant for us: whoever drops a picture in a channel hears nothing."""
    is_spreadsheet = request.file_name.lower().endswith(SPREADSHEETS)
    return Role.SENDER if is_spreadsheet or _named_group(request)[0] is not None else None


def receive(request: Upload, service: Importing) -> Reply:
    """Import a dropped file into the group the message names, or onto the do-not-send list, or ask which group; once,
    however often Slack tells of it."""
    group_name, note = _named_group(request)
    opts_out = _OPT_OUTS.fullmatch(request.text.strip()) is not None
    if group_name is None and not opts_out and not request.file_name.lower().endswith(SPREADSHEETS):
        return Nothing()
    if not request.file_url:
        raise BadFile("not_downloadable")
    file = UploadedFile(
        file_id=request.file_id,
        name=request.file_name,
        size=request.file_size,
        url=request.file_url,
        channel=request.channel,
        thread_ts=request.ts,
    )
    received = service.imports.receive(request.workspace, file, request.person)
    if received is None:
        return Nothing()
    if opts_out:
        service.imports.begin_opt_outs(request.workspace, received.id)
        return Nothing()
    if group_name is not None:
        try:
            group = service.groups.find(request.workspace, group_name)
            service.imports.begin(request.workspace, received.id, group.id)
            return Nothing()
        except UnknownThing as error:
            note = explain(error, request.zone)
    return views.ask_group(received, service.groups.recent(request.workspace), note)


def _named_group(request: Upload) -> tuple[str | None, str | None]:
    """The group that the message names, or why what it says behind `group:` is no name."""
    try:
        return arguments.find_one(request.text, "group"), None
    except BadArguments as error:
        return None, explain(error, request.zone)


def choose_group(request: Click, service: Importing) -> Reply:
    """An existing group chosen in the menu."""
    import_id, group_id = map(int, request.value.split(":"))
    begun = service.imports.begin(request.workspace, import_id, group_id)
    return _begun(begun)


def use_once(request: Click, service: Importing) -> Reply:
    """**Use for one send only**: the file is read, and its numbers go into no group."""
    begun = service.imports.begin_for_send(request.workspace, int(request.value))
    return Replace(f"Reading {bold(begun.file.name)} for one send only. The progress is in the channel.")


def new_group(request: Click, service: Importing) -> Reply:
    """**New group…**: its form."""
    waiting = service.imports.get(request.workspace, int(request.value))
    return OpenForm(views.new_group_form(waiting.file.name), context=request.value)


def submit_new_group(request: Submission, service: Importing) -> Reply:
    """Create the group and start."""
    name, sms_type = request.values["name"], SmsType(request.values["sms_type"])
    try:
        return _begun(
            service.imports.begin_in_new_group(request.workspace, int(request.context), name, sms_type, request.person)
        )
    except ServiceError as error:
        return FieldErrors({"name": explain_in_form(error, request.zone)})


def not_now(request: Click, service: Importing) -> Reply:
    """**Not now**: the file stays where it is, and nothing is imported."""
    waiting = service.imports.get(request.workspace, int(request.value))
    if waiting.state is not ImportState.ASKED:
        raise NotAllowed("import_begun")
    return Replace(f"{bold(waiting.file.name)} was not imported. Drop it again when you want it.")


def cancel(request: Click, service: Importing) -> Reply:
    """**Cancel the import**, confirmed in Slack's own dialog; the post in the channel says so."""
    service.imports.cancel(request.workspace, int(request.value), request.person)
    return Nothing()


def choose_column(request: Click, service: Importing) -> Reply:
    """**Choose the column**: its form."""
    waiting = service.imports.get(request.workspace, int(request.value))
    if waiting.state is not ImportState.WAITING:
        raise NotAllowed("column_chosen")
    return OpenForm(views.column_form(waiting), context=f"{waiting.id}:{len(waiting.chosen)}")


def submit_column(request: Submission, service: Importing) -> Reply:
    """Go on with that column; whoever comes second is told, also when another sheet asks by now."""
    import_id, chosen = map(int, request.context.split(":"))
    waiting = service.imports.get(request.workspace, import_id)
    if len(waiting.chosen) != chosen:
        raise NotAllowed("column_chosen")
    choice = waiting.columns[int(request.values["column"])].choice
    service.imports.choose_column(request.workspace, import_id, choice)
    return Nothing()


def keep(request: Click, service: Importing) -> Reply:
    """**Keep these 41 anyway**: the same post shows the new counts."""
    service.imports.keep(request.workspace, int(request.value))
    return Nothing()


def undo(request: Click, service: Importing) -> Reply:
    """**Undo the import**, confirmed in Slack's own dialog; the same post says so."""
    service.imports.undo(request.workspace, int(request.value), request.person)
    return Nothing()


def command(request: Command, service: Importing) -> Reply:
    """`/sms-import`: how to import into a group, which is made where it is new and its type is given."""
    if not request.bot_in_channel:
        raise NotAllowed("bot_not_in_channel")
    given = arguments.parse(request.text, ("group", "type"))
    name, typed = given.one("group"), given.one("type")
    if name is None and typed is None:
        return OpenForm(views.how_to_form(service.groups.recent(request.workspace)))
    if name is None:
        raise NotAllowed("key_missing", key="group", example="/sms-import group:vip type:promotional")
    group = _find_or_make(request, service, name, None if typed is None else _sms_type(typed))
    return views.how_to(group, request.region)


def submit_how_to(request: Submission, service: Importing) -> Reply:
    """What the form of `/sms-import` chose."""
    chosen, name, typed = (request.values.get(key, "") for key in ("group", "name", "sms_type"))
    name = name.strip()
    if bool(chosen) == bool(name):
        error = NotAllowed("group_given_twice") if chosen else NotAllowed("group_not_given")
        return FieldErrors({"name": explain_in_form(error, request.zone)})
    if name and not typed:
        return FieldErrors({"sms_type": explain_in_form(NotAllowed("sms_type_not_given"), request.zone)})
    try:
        if chosen:
            return views.how_to(service.groups.by_id(request.workspace, int(chosen)), request.region)
        group = service.groups.create(request.workspace, name, SmsType(typed), request.person)
        return views.how_to(group, request.region)
    except ServiceError as error:
        return FieldErrors({"name": explain_in_form(error, request.zone)})


def template(request: Click, service: Importing) -> Reply:
    """**Download the template**, in the person's language."""
    return SendFile(
        name=TEMPLATE_NAME,
        comment="Fill in one number in each row, then drop the file in a channel.",
        say="The template is in our direct messages.",
        write=lambda path: write_template(path, request.locale),
    )


def _sms_type(typed: str) -> SmsType:
    types = [each.value for each in SmsType]
    if typed.lower() not in types:
        raise UnknownThing("SMS type", typed, types[:2])
    return SmsType(typed.lower())


def _find_or_make(request: Command, service: Importing, name: str, sms_type: SmsType | None) -> Group:
    try:
        group = service.groups.find(request.workspace, name)
    except UnknownThing:
        if sms_type is None:
            raise
        return service.groups.create(request.workspace, name, sms_type, request.person)
    if sms_type not in (None, group.sms_type):
        raise NotAllowed("group_type_differs", group=group.name, group_type=group.sms_type.value)
    return group


def write_reject_file(service: Importing, ended: Import, path: Path) -> None:
    """Every row that was not imported, why, and what it may have meant."""
    rows = (
        Reject(each.sheet, each.row, each.original, views.reason_in_words(each.reason), each.suggestion or "")
        for each in service.imports.rejects(ended.workspace_id, ended.id)
    )
    write_rejects(path, rows)


def _begun(begun: Import) -> Replace:
    return Replace(f"Importing {bold(begun.file.name)} into {bold(begun.group or '')}. The progress is in the channel.")
