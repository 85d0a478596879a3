"""`/sms-groups`: the groups, in pages and by name, and new ones."""

from __future__ import annotations

from dataclasses import dataclass

from handlers import arguments
from handlers.arguments import Arguments
from handlers.errors import explain_in_form
from handlers.replies import FieldErrors, OpenForm, Replace, Reply, Say
from handlers.requests import Click, Command, Submission
from handlers.roles import Role
from handlers.views import groups as views
from handlers.views import imports as import_views
from services.errors import NotAllowed, ServiceError, UnknownThing
from services.group_changes import GroupChanges
from services.group_exports import GroupExports
from services.groups import Groups
from services.states import SmsType

PAGE_SIZE = 8


@dataclass(frozen=True, slots=True)
class Grouping:
    """The services that everything about groups needs."""

    groups: Groups
    changes: GroupChanges
    exports: GroupExports


def command(request: Command, service: Grouping) -> Reply:
    """The list, of those with `name:` in their name where given, or `create name:vip type:promotional`."""
    given = _given(request)
    if given.words and list(given.words) != ["create"]:
        raise UnknownThing("action", " ".join(given.words), ("create",))
    name, typed = given.one("name"), given.one("type")
    if not given.words and typed is None:
        return _list(request.workspace, service, name or "", 1)
    if name is None or typed is None:
        key = "name" if name is None else "type"
        raise NotAllowed("key_missing", key=key, example="/sms-groups create name:vip type:promotional")
    types = [each.value for each in SmsType]
    if typed.lower() not in types:
        raise UnknownThing("SMS type", typed, types[:2])
    made = service.groups.create(request.workspace, name, SmsType(typed.lower()), request.person)
    return Say(views.created(made))


def role_of(request: Command) -> Role:
    """To look at the list needs less than to make a group."""
    return Role.SENDER if _given(request).words else Role.VIEWER


def turn_page(request: Click, service: Grouping) -> Reply:
    """**Previous** and **Next** under the list, which becomes that page."""
    page, _, name = request.value.partition(":")
    shown = _list(request.workspace, service, name, int(page))
    return Replace(shown.text, shown.blocks)


def new_group(request: Click, service: Grouping) -> Reply:
    """**New group…** in the list: its form."""
    return OpenForm(views.new_group_form())


def submit_new_group(request: Submission, service: Grouping) -> Reply:
    """Create what the form says; a wrong field is named in the form."""
    try:
        group = service.groups.create(
            request.workspace, request.values["name"], SmsType(request.values["sms_type"]), request.person
        )
    except ServiceError as error:
        return FieldErrors({"name": explain_in_form(error, request.zone)})
    return Say(views.created(group))


def import_file(request: Click, service: Grouping) -> Reply:
    """**Import file** on a group: what to write beside the file."""
    return import_views.how_to(service.groups.by_id(request.workspace, int(request.value)))


def _given(request: Command) -> Arguments:
    return arguments.parse(request.text, ("name", "type"), words=True)


def _list(workspace: str, service: Grouping, name: str, page: int) -> Say:
    return views.group_list(service.groups.page(workspace, name, page, PAGE_SIZE), name)
