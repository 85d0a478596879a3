"""`/sms-groups`: the groups, and new ones."""

from __future__ import annotations

from handlers import arguments
from handlers.errors import explain_in_form
from handlers.replies import FieldErrors, OpenForm, Reply, Say
from handlers.requests import Click, Command, Submission
from handlers.views import groups as views
from services.errors import NotAllowed, ServiceError, UnknownThing
from services.groups import Groups
from services.states import SmsType


def command(request: Command, service: Groups) -> Reply:
    """The list, or `create name:vip type:promotional`."""
    given = arguments.parse(request.text, ("name", "type"), words=True)
    if not given.words and not given.values:
        return views.group_list(service.list(request.workspace))
    if given.words and list(given.words) != ["create"]:
        raise UnknownThing("action", " ".join(given.words), ("create",))
    name, typed = given.one("name"), given.one("type")
    if name is None or typed is None:
        key = "name" if name is None else "type"
        raise NotAllowed("key_missing", key=key, example="/sms-groups create name:vip type:promotional")
    types = [each.value for each in SmsType]
    if typed.lower() not in types:
        raise UnknownThing("SMS type", typed, types[:2])
    return Say(views.created(service.create(request.workspace, name, SmsType(typed.lower()), request.person)))


def new_group(request: Click, service: Groups) -> Reply:
    """**New group…** in the list: its form."""
    return OpenForm(views.new_group_form())


def submit_new_group(request: Submission, service: Groups) -> Reply:
    """Create what the form says; a wrong field is named in the form."""
    try:
        group = service.create(
            request.workspace, request.values["name"], SmsType(request.values["sms_type"]), request.person
        )
    except ServiceError as error:
        return FieldErrors({"name": explain_in_form(error, request.zone)})
    return Say(views.created(group))
