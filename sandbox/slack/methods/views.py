"""views.*"""

from sandbox.slack.tickets import Refused, bad_arguments
from sandbox.slack.views import check_given
from sandbox.slack.web_api import Call, Method, Methods, Result


def open_view(call: Call) -> Result:
    """views.open; the trigger_id is used up only by a view Slack takes."""
    given = call.read("view")
    check_given(given, ("modal",))
    trigger = call.core.triggers.exchange(call.text("trigger_id"))
    view = call.core.views.open(trigger.user, given)
    call.core.live.view(trigger.user, "view_opened", view)
    return {"view": view}


def push_view(call: Call) -> Result:
    """views.push, from an interaction in a modal."""
    given = call.read("view")
    check_given(given, ("modal",))
    trigger = call.core.triggers.exchange(call.text("trigger_id"))
    if trigger.view_id is None or call.core.views.owner(trigger.view_id) is None:
        raise Refused("not_found")
    view = call.core.views.push(trigger.user, given)
    call.core.live.view(trigger.user, "view_opened", view)
    return {"view": view}


def update_view(call: Call) -> Result:
    """views.update, by view_id or external_id."""
    if not call.text("view_id") and not call.text("external_id"):
        raise bad_arguments("missing required field: view_id")
    views, given = call.core.views, call.read("view")
    view = views.update(call.text("view_id") or None, call.text("external_id") or None, given, call.text("hash"))
    owner = views.owner(view["id"])
    if owner is not None:
        call.core.live.view(owner, "view_updated", view)
    return {"view": view}


def publish_view(call: Call) -> Result:
    """views.publish, of a person's home tab."""
    if not call.core.manifest.home_tab:
        raise Refused("not_enabled")
    user = call.user("user_id")
    return {"view": call.core.views.publish(user.id, call.read("view"), call.text("hash"))}


METHODS: Methods = {
    "views.open": Method(open_view, needs=("trigger_id", "view")),
    "views.push": Method(push_view, needs=("trigger_id", "view")),
    "views.update": Method(update_view, needs=("view",)),
    "views.publish": Method(publish_view, needs=("user_id", "view")),
}
