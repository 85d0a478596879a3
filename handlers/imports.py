"""A file dropped in a channel: ask for the group, or start at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handlers import arguments
from handlers.arguments import BadArguments
from handlers.errors import explain, explain_in_form
from handlers.replies import FieldErrors, Nothing, OpenForm, Replace, Reply
from handlers.requests import Click, Submission, Upload
from handlers.views import imports as views
from handlers.views.words import bold
from services.errors import BadFile, NotAllowed, ServiceError, UnknownThing
from services.groups import Groups
from services.imports import Import, Imports, UploadedFile
from services.spreadsheets.writer import Reject, write_rejects
from services.states import ImportState, SmsType

# Other files are none of our business, unless the message says group:… .
SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods", ".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True)
class Importing:
    """The services this file needs."""

    imports: Imports
    groups: Groups


def receive(request: Upload, service: Importing) -> Reply:
    """Import a dropped file into the group the message names, or ask which; once, however often Slack tells of it."""
    group_name, note = _named_group(request)
    if group_name is None and not request.file_name.lower().endswith(SPREADSHEETS):
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
    if group_name is not None:
        try:
            group = service.groups.find(request.workspace, group_name)
            service.imports.begin(request.workspace, received.id, group.id)
            return Nothing()
        except UnknownThing as error:
            note = explain(error, request.zone)
    return views.ask_group(received, service.groups.list(request.workspace), note)


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


def new_group(request: Click, service: Importing) -> Reply:
    """**New group…**: its form."""
    waiting = service.imports.get(request.workspace, int(request.value))
    return OpenForm(views.new_group_form(waiting.file.name), context=request.value)


def submit_new_group(request: Submission, service: Importing) -> Reply:
    """Create the group and start."""
    import_id = int(request.context)
    try:
        group = service.groups.create(
            request.workspace, request.values["name"], SmsType(request.values["sms_type"]), request.person
        )
        return _begun(service.imports.begin(request.workspace, import_id, group.id))
    except ServiceError as error:
        return FieldErrors({"name": explain_in_form(error, request.zone)})


def not_now(request: Click, service: Importing) -> Reply:
    """**Not now**: the file stays where it is, and nothing is imported."""
    waiting = service.imports.get(request.workspace, int(request.value))
    if waiting.state is not ImportState.ASKED:
        raise NotAllowed("import_begun")
    return Replace(f"{bold(waiting.file.name)} was not imported. Drop it again when you want it.")


def write_reject_file(service: Importing, ended: Import, path: Path) -> None:
    """Every row that was not imported, why, and what it may have meant."""
    rows = (
        Reject(each.sheet, each.row, each.original, views.reason_in_words(each.reason), each.suggestion or "")
        for each in service.imports.rejects(ended.id)
    )
    write_rejects(path, rows)


def _begun(begun: Import) -> Replace:
    return Replace(f"Importing {bold(begun.file.name)} into {bold(begun.group or '')}. The progress is in the channel.")
