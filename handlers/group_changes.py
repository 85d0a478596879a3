"""What is done to one group in the list: rename, merge, copy, split by country, export, delete."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from handlers.errors import explain_in_form
from handlers.groups import Grouping
from handlers.replies import FieldErrors, OpenForm, Replace, Reply, Say, SendFile
from handlers.requests import Click, Submission
from handlers.views import group_changes as views
from handlers.views import groups as list_views
from handlers.views.words import bold, counted
from services.errors import ServiceError
from services.groups import Group
from services.numbers import format_e164
from services.spreadsheets.csv_writer import write_csv
from services.spreadsheets.writer import write_table

_HEADERS = ("Number", "Country", "In the group since (UTC)", "Imported from", "Row")


def more(request: Click, service: Grouping) -> Reply:
    """An entry of the menu beside a group: its form, or the question before it is done."""
    what, _, key = request.value.partition(":")
    group = service.groups.by_id(request.workspace, int(key))
    match what:
        case list_views.RENAME:
            return OpenForm(views.rename_form(group), context=key)
        case list_views.MERGE:
            return _merge_form(request, service, group)
        case list_views.COPY:
            return OpenForm(views.copy_form(group), context=key)
        case list_views.SPLIT:
            return views.ask_split(group, service.changes.countries(request.workspace, group.id))
        case _:
            return views.ask_delete(group, service.changes.references(request.workspace, group.id))


def submit_rename(request: Submission, service: Grouping) -> Reply:
    """Rename; a name that is taken is named in the form."""
    group_id = int(request.context)
    try:
        before = service.groups.by_id(request.workspace, group_id)
        return Say(views.renamed(before.name, service.changes.rename(request.workspace, group_id, _name(request))))
    except ServiceError as error:
        return FieldErrors({"name": explain_in_form(error, request.zone)})


def submit_copy(request: Submission, service: Grouping) -> Reply:
    """Copy; a name that is taken is named in the form."""
    group_id = int(request.context)
    try:
        source = service.groups.by_id(request.workspace, group_id)
        return Say(
            views.copied(source, service.changes.copy(request.workspace, group_id, _name(request), request.person))
        )
    except ServiceError as error:
        return FieldErrors({"name": explain_in_form(error, request.zone)})


def submit_merge(request: Submission, service: Grouping) -> Reply:
    """Merge into the chosen group."""
    try:
        merged = service.changes.merge(request.workspace, int(request.context), int(request.values["into"]))
    except ServiceError as error:
        return FieldErrors({"into": explain_in_form(error, request.zone)})
    return Say(views.merged(merged))


def split(request: Click, service: Grouping) -> Reply:
    """The button under the counts by country."""
    return Replace(views.was_split(service.changes.split(request.workspace, int(request.value), request.person)))


def delete(request: Click, service: Grouping) -> Reply:
    """The button under the question."""
    return Replace(views.deleted(service.changes.delete(request.workspace, int(request.value))))


def leave(request: Click, service: Grouping) -> Reply:
    """**Keep it** and **Don't split**."""
    return views.left()


def export_form(request: Click, service: Grouping) -> Reply:
    """**Export…** on a group: which kind of file."""
    return OpenForm(
        views.export_form(service.groups.by_id(request.workspace, int(request.value))), context=request.value
    )


def submit_export(request: Submission, service: Grouping) -> Reply:
    """The file, by direct message because it holds full numbers."""
    group = service.groups.by_id(request.workspace, int(request.context))
    kind = request.values["kind"]
    numbers = counted(group.size, "number")
    return SendFile(
        name=f"{_file_name(group.name)}.{kind}",
        comment=f"The {numbers} of {bold(group.name)}.",
        say=f"The {numbers} of {bold(group.name)} are in our direct messages.",
        write=_writer(service, request.workspace, group, kind),
    )


def _writer(service: Grouping, workspace: str, group: Group, kind: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        columns = service.exports.columns(workspace, group.id)
        # A plus would make a csv's cell a formula; the consoles and our own import take country code + number.
        shown = str if kind == "csv" else format_e164
        rows = (
            (
                shown(each.number),
                each.region or "",
                f"{each.since:%Y-%m-%d %H:%M}" if each.since else "",
                each.file or ("typed" if each.since else ""),
                str(each.row),
                *each.attributes,
            )
            for each in service.exports.rows(workspace, group.id, columns)
        )
        headers = [*_HEADERS, *columns]
        if kind == "csv":
            write_csv(path, headers, rows)
        else:
            write_table(path, group.name, headers, rows, widths=(18, 9, 22, 30, 8), text_columns={0})

    return write


def _merge_form(request: Click, service: Grouping, group: Group) -> Reply:
    same_type = [each for each in service.groups.recent(request.workspace) if each.sms_type is group.sms_type]
    others = [each for each in same_type if each.id != group.id]
    if not others:
        return Say(views.merge_impossible(group))
    return OpenForm(views.merge_form(group, others), context=str(group.id))


def _name(request: Submission) -> str:
    return request.values["name"]


def _file_name(name: str) -> str:
    """Without what a file system or a person's eye stumbles over."""
    return re.sub(r'[\\/:*?"<>|\s]+', " ", name).strip(" .") or "group"
