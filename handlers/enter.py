"""`/sms-enter`: up to 100 numbers typed into a form."""

from __future__ import annotations

from dataclasses import dataclass

from handlers import arguments
from handlers.errors import explain_in_form
from handlers.replies import FieldErrors, OpenForm, Replace, Reply, Say
from handlers.requests import Click, Command, Submission
from handlers.views import enter as views
from services.entries import CheckedLines, Entries, check_lines
from services.errors import NotAllowed, ServiceError
from services.groups import Group, Groups
from services.imports import Imports
from services.states import SmsType


@dataclass(frozen=True, slots=True)
class Entering:
    """The services this file needs."""

    entries: Entries
    groups: Groups
    imports: Imports


def command(request: Command, service: Entering) -> Reply:
    """The form, with the group chosen that `group:` names."""
    name = arguments.parse(request.text, ("group",)).one("group")
    chosen = None if name is None else service.groups.find(request.workspace, name)
    return OpenForm(views.enter_form(service.groups.recent(request.workspace), chosen, request.region))


def open_form(request: Click, service: Entering) -> Reply:
    """**Enter numbers** on a group: the form with that group chosen."""
    chosen = service.groups.by_id(request.workspace, int(request.value))
    return OpenForm(views.enter_form(service.groups.recent(request.workspace), chosen, request.region))


def submit(request: Submission, service: Entering) -> Reply:
    """Take the right lines. While any is wrong the form stays open with all that was typed, unless told otherwise."""
    ticked = request.lists.get("wrong", ())
    try:
        lines = check_lines(request.values["numbers"], request.region, keep_set_aside=views.KEEP_SET_ASIDE in ticked)
    except ServiceError as error:
        return FieldErrors({"numbers": explain_in_form(error, request.zone)})
    errors = _wrong_fields(request)
    if not lines.right or (lines.wrong and views.LEAVE_OUT not in ticked):
        errors["numbers"] = views.wrong_lines(lines.wrong)
    return FieldErrors(errors) if errors else _enter(request, service, lines)


def _enter(request: Submission, service: Entering, lines: CheckedLines) -> Reply:
    try:
        group = _group(request, service)
        done = service.entries.enter(request.workspace, group.id, lines, request.channel, request.person)
        group = service.groups.by_id(request.workspace, group.id)
    except ServiceError as error:
        field = "group" if request.values.get("group") else "name"
        return FieldErrors({field: explain_in_form(error, request.zone)})
    return Say(*views.entered(done, group))


def keep(request: Click, service: Entering) -> Reply:
    """**Keep these 2 anyway**: the answer shows the new counts."""
    kept = service.imports.keep(request.workspace, int(request.value))
    assert kept.group_id is not None
    return Replace(*views.entered(kept, service.groups.by_id(request.workspace, kept.group_id)))


def undo(request: Click, service: Entering) -> Reply:
    """**Undo**, confirmed in Slack's own dialog."""
    return Replace(*views.undone(service.imports.undo(request.workspace, int(request.value), request.person)))


def _group(request: Submission, service: Entering) -> Group:
    """The chosen group, or the new one. Raises UnknownThing or NotAllowed."""
    if chosen := request.values.get("group"):
        return service.groups.by_id(request.workspace, int(chosen))
    sms_type = SmsType(request.values["sms_type"])
    return service.groups.create(request.workspace, request.values["name"], sms_type, request.person)


def _wrong_fields(request: Submission) -> dict[str, str]:
    """What is wrong with the choice: either a group, or the name and the SMS type of a new one."""
    chosen, name = request.values.get("group"), request.values.get("name", "").strip()
    if chosen and name:
        return {"name": explain_in_form(NotAllowed("group_given_twice"), request.zone)}
    if not chosen and not name:
        return {"name": explain_in_form(NotAllowed("group_not_given"), request.zone)}
    if not chosen and not request.values.get("sms_type"):
        return {"sms_type": explain_in_form(NotAllowed("sms_type_not_given"), request.zone)}
    return {}
