"""Everything a person can do, in ONE table; a test holds `app_manifest.yaml` to it, and `/sms-help` is made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from handlers import (
    content,
    enter,
    group_changes,
    groups,
    imports,
    opt_outs,
    pool,
    send,
    task_changes,
    task_details,
    task_list,
    tasks,
)
from handlers import help as help_
from handlers.replies import Reply
from handlers.requests import Request
from handlers.roles import Role
from handlers.views import content as content_views
from handlers.views import content_forms, task_buttons
from handlers.views import enter as enter_views
from handlers.views import group_changes as change_views
from handlers.views import groups as group_views
from handlers.views import imports as import_views
from handlers.views import opt_outs as opt_out_views
from handlers.views import pool as pool_views
from handlers.views import send as send_views
from handlers.views import task_changes as edit_views
from handlers.views import task_details as detail_views
from handlers.views import task_list as list_views


class Kind(Enum):
    """How Slack tells of it."""

    COMMAND = "command"
    ACTION = "action"
    VIEW = "view"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Route:
    """`key` is the command, action id, callback id or event; `service` names a part of `bot.use_cases.Services`.

    `acknowledged_with_reply`: the reply is the acknowledgement itself (field errors), so the handler must say quickly
    what is wrong; what it then does may take long.
    `needs_channel`: whether the bot is in the channel is looked up first. `role` is the least that may use it;
    `role_of` tells it where that depends on what was typed or dropped, None for what is none of our business.
    """

    kind: Kind
    key: str
    handler: Callable[[Any, Any], Reply]
    service: str
    does: str
    usage: str = ""
    role: Role = Role.SENDER
    role_of: Callable[[Any], Role | None] | None = None
    acknowledged_with_reply: bool = False
    needs_channel: bool = False

    def needs(self, request: Request) -> Role | None:
        """The role this request needs; None where there is nothing to do, and so nothing to refuse."""
        return self.role if self.role_of is None else self.role_of(request)


def command(name: str, handler: Callable[[Any, Any], Reply], service: str, usage: str, does: str, **more: Any) -> Route:
    """A slash command; `usage` is what follows its name."""
    return Route(Kind.COMMAND, name, handler, service, does, usage, **more)


ROUTES: Sequence[Route] = (
    command(
        "/sms-send",
        send.command,
        "sending",
        'group:vip[,gold] or pool template:spring [exclude:staff] [signature:…] [app:…] [at:"tomorrow 10:00"] [name:…]',
        "Shows a preview of an SMS to groups or the whole pool; a button sends it, now or at that time.",
        needs_channel=True,
    ),
    command(
        "/sms-import",
        imports.command,
        "importing",
        "[group:vip] [type:promotional]",
        "Tells how to import numbers, makes the group where it is new, and gives a template to fill in.",
        needs_channel=True,
    ),
    command(
        "/sms-groups",
        groups.command,
        "groups",
        "[name:vi] [create name:vip type:promotional]",
        "Lists the groups with all that can be done with each, or makes a new one.",
        role=Role.VIEWER,
        role_of=groups.role_of,
    ),
    command(
        "/sms-enter",
        enter.command,
        "entering",
        "[group:vip]",
        "Opens a form for up to 100 numbers, one a line, into a group.",
    ),
    command(
        "/sms-pool",
        pool.command,
        "pool",
        "[13800138000]",
        "Counts all numbers; shows where one is and what it was sent; finds numbers by their last 4 to 8 digits.",
        role=Role.VIEWER,
        role_of=pool.role_of,
    ),
    command(
        "/sms-optouts",
        opt_outs.command,
        "opt_outs",
        "[13800138000] [add 13800138000] [remove 13800138000] [import] [export]",
        "Lists who gets no promotional SMS; looks a number up, adds it or takes it off; takes a file, gives one.",
        role=Role.VIEWER,
        needs_channel=True,
    ),
    command(
        "/sms-tasks",
        task_list.command,
        "tasks",
        "[name:…] [status:scheduled] [group:vip] [by:@ana] [date:today] [from:… to:…]",
        "Lists the send tasks, newest first, with how they went; status:deleted those taken off the list.",
        role=Role.VIEWER,
    ),
    command(
        "/sms-task",
        task_details.command,
        "tasks",
        "42 [number:13800138000]",
        "Shows the counts, times and messages of a task, all that can be done with it, and finds a number in it.",
        role=Role.VIEWER,
    ),
    command(
        "/sms-cancel",
        tasks.cancel,
        "tasks",
        "42",
        "Takes back a scheduled task, free, until 5 minutes before its time.",
    ),
    command(
        "/sms-stop",
        tasks.stop,
        "tasks",
        "42",
        "Stops a task at any second; what the carrier already has cannot be taken back.",
    ),
    command("/sms-pause", tasks.pause, "tasks", "42", "Pauses a task that is sending, until somebody resumes it."),
    command("/sms-resume", tasks.resume, "tasks", "42", "Goes on with a task that is paused."),
    command(
        "/sms-delete",
        tasks.delete,
        "tasks",
        "42",
        "Takes a task that is over off the list; its counts stay in the history.",
    ),
    command(
        "/sms-templates",
        content.templates,
        "contents",
        "[name:spring] [app:promo-cn] [status:pending]",
        "Lists the templates with where they stand; adds, edits and disables them.",
        role=Role.VIEWER,
    ),
    command(
        "/sms-signatures",
        content.signatures,
        "contents",
        "[name:spring] [app:promo-cn] [status:pending]",
        "The same for signatures.",
        role=Role.VIEWER,
    ),
    command(
        "/sms-apps",
        content.applications,
        "contents",
        "[name:promo]",
        "Lists the applications with carrier, region, rate, and where reports come in.",
        role=Role.VIEWER,
    ),
    command("/sms-help", help_.command, "help", "", "Explains all of this.", role=Role.VIEWER),
    Route(
        Kind.EVENT,
        "message",
        imports.receive,
        "importing",
        "A spreadsheet dropped in a channel is imported.",
        role_of=imports.role_of,
    ),
    Route(Kind.ACTION, import_views.CHOOSE_GROUP, imports.choose_group, "importing", "Choose the group of an import."),
    Route(Kind.ACTION, import_views.USE_ONCE, imports.use_once, "importing", "Read a file for one send alone."),
    Route(Kind.ACTION, import_views.NEW_GROUP, imports.new_group, "importing", "Open the form of a new group."),
    Route(Kind.ACTION, import_views.NOT_NOW, imports.not_now, "importing", "Leave a dropped file alone."),
    Route(
        Kind.VIEW,
        import_views.NEW_GROUP_FORM,
        imports.submit_new_group,
        "importing",
        "Create a group and import into it.",
        acknowledged_with_reply=True,
    ),
    Route(Kind.ACTION, import_views.CANCEL, imports.cancel, "importing", "Cancel an import under way."),
    Route(Kind.ACTION, import_views.CHOOSE_COLUMN, imports.choose_column, "importing", "Open the menu of columns."),
    Route(Kind.VIEW, import_views.COLUMN_FORM, imports.submit_column, "importing", "Import the column chosen."),
    Route(Kind.ACTION, import_views.KEEP, imports.keep, "importing", "Keep the numbers that were set aside."),
    Route(Kind.ACTION, import_views.UNDO, imports.undo, "importing", "Take an import out of its group again."),
    Route(
        Kind.VIEW,
        import_views.HOW_TO_FORM,
        imports.submit_how_to,
        "importing",
        "Tell how to import into the group chosen or made.",
        acknowledged_with_reply=True,
    ),
    Route(Kind.ACTION, import_views.TEMPLATE, imports.template, "importing", "Get the file to fill in."),
    Route(Kind.ACTION, group_views.NEW, groups.new_group, "groups", "Open the form of a new group."),
    Route(
        Kind.VIEW,
        group_views.NEW_FORM,
        groups.submit_new_group,
        "groups",
        "Create a group.",
        acknowledged_with_reply=True,
    ),
    Route(
        Kind.ACTION,
        group_views.PREVIOUS_PAGE,
        groups.turn_page,
        "groups",
        "Turn a page of the groups back.",
        role=Role.VIEWER,
    ),
    Route(
        Kind.ACTION, group_views.NEXT_PAGE, groups.turn_page, "groups", "Turn a page of the groups.", role=Role.VIEWER
    ),
    Route(Kind.ACTION, group_views.IMPORT, groups.import_file, "groups", "Tell how to import into a group."),
    Route(Kind.ACTION, group_views.ENTER, enter.open_form, "entering", "Open the form for typed numbers."),
    Route(Kind.ACTION, group_views.EXPORT, group_changes.export_form, "groups", "Choose the kind of file."),
    Route(Kind.ACTION, group_views.MORE, group_changes.more, "groups", "Rename, merge, copy, split or delete a group."),
    Route(
        Kind.VIEW,
        change_views.RENAME_FORM,
        group_changes.submit_rename,
        "groups",
        "Rename a group.",
        acknowledged_with_reply=True,
    ),
    Route(
        Kind.VIEW,
        change_views.MERGE_FORM,
        group_changes.submit_merge,
        "groups",
        "Merge a group into another one.",
        acknowledged_with_reply=True,
    ),
    Route(
        Kind.VIEW,
        change_views.COPY_FORM,
        group_changes.submit_copy,
        "groups",
        "Copy a group.",
        acknowledged_with_reply=True,
    ),
    Route(Kind.VIEW, change_views.EXPORT_FORM, group_changes.submit_export, "groups", "Get a group as a file."),
    Route(Kind.ACTION, change_views.SPLIT, group_changes.split, "groups", "Split a group by country."),
    Route(Kind.ACTION, change_views.DELETE, group_changes.delete, "groups", "Delete a group."),
    Route(Kind.ACTION, change_views.LEAVE, group_changes.leave, "groups", "Leave a group as it is."),
    Route(
        Kind.VIEW,
        enter_views.FORM,
        enter.submit,
        "entering",
        "Take typed numbers into a group.",
        acknowledged_with_reply=True,
    ),
    Route(Kind.ACTION, enter_views.KEEP, enter.keep, "entering", "Keep the typed numbers that were set aside."),
    Route(Kind.ACTION, enter_views.UNDO, enter.undo, "entering", "Take typed numbers out of their group again."),
    Route(Kind.ACTION, pool_views.LOOK_UP, pool.look_up, "pool", "Show where a number is."),
    Route(Kind.ACTION, pool_views.REMOVE, pool.remove, "pool", "Take a number out of every group."),
    Route(Kind.ACTION, opt_out_views.SHOW, opt_outs.show, "opt_outs", "Show a number of the list."),
    Route(Kind.ACTION, opt_out_views.ADD, opt_outs.add, "opt_outs", "Put a number on the do-not-send list."),
    Route(
        Kind.ACTION,
        opt_out_views.REMOVE,
        opt_outs.remove,
        "opt_outs",
        "Take a number off the do-not-send list.",
        role=Role.APPROVER,
    ),
    Route(
        Kind.ACTION,
        opt_out_views.PREVIOUS_PAGE,
        opt_outs.turn_page,
        "opt_outs",
        "Turn a page of the list back.",
        role=Role.VIEWER,
    ),
    Route(
        Kind.ACTION,
        opt_out_views.NEXT_PAGE,
        opt_outs.turn_page,
        "opt_outs",
        "Turn a page of the list.",
        role=Role.VIEWER,
    ),
    Route(Kind.ACTION, opt_out_views.EXPORT, opt_outs.export_form, "opt_outs", "Choose the kind of file."),
    Route(Kind.VIEW, opt_out_views.EXPORT_FORM, opt_outs.submit_export, "opt_outs", "Get the list as a file."),
    Route(
        Kind.ACTION,
        group_views.SEND,
        send.open_form,
        "sending",
        "Open the send form for a group.",
        needs_channel=True,
    ),
    Route(
        Kind.VIEW,
        send_views.FORM,
        send.submit_form,
        "sending",
        "Preview what the form says.",
        acknowledged_with_reply=True,
    ),
    Route(
        Kind.ACTION,
        import_views.SEND,
        send.open_form_for_file,
        "sending",
        "Open the send form for a file of one send.",
        needs_channel=True,
    ),
    Route(Kind.ACTION, send_views.CONFIRM, send.confirm, "sending", "Make a preview a send task.", needs_channel=True),
    Route(
        Kind.ACTION,
        send_views.LEAVE_OUT,
        send.leave_out,
        "sending",
        "Leave rows without all values out of a preview.",
        needs_channel=True,
    ),
    Route(
        Kind.ACTION,
        send_views.RESCHEDULE,
        send.reschedule,
        "sending",
        "Move a preview to the next minute that carriers allow.",
        needs_channel=True,
    ),
    Route(Kind.ACTION, send_views.TEST, send.open_test_form, "sending", "Open the form of a test send."),
    Route(
        Kind.VIEW,
        send_views.TEST_FORM,
        send.submit_test_form,
        "sending",
        "Send a preview's text to a few numbers.",
        acknowledged_with_reply=True,
    ),
    Route(Kind.ACTION, send_views.DISCARD, send.discard, "sending", "Drop a preview."),
    Route(
        Kind.ACTION,
        list_views.NEWER,
        task_list.turn,
        "tasks",
        "Turn the list of tasks to newer ones.",
        role=Role.VIEWER,
    ),
    Route(
        Kind.ACTION,
        list_views.OLDER,
        task_list.turn,
        "tasks",
        "Turn the list of tasks to older ones.",
        role=Role.VIEWER,
    ),
    Route(
        Kind.ACTION,
        list_views.REFRESH,
        task_list.turn,
        "tasks",
        "Bring the list of tasks up to date.",
        role=Role.VIEWER,
    ),
    Route(
        Kind.ACTION,
        task_buttons.DETAILS,
        task_details.show,
        "tasks",
        "Show a task with its messages.",
        role=Role.VIEWER,
    ),
    Route(
        Kind.ACTION,
        detail_views.BEFORE,
        task_details.turn,
        "tasks",
        "Turn the messages of a task back.",
        role=Role.VIEWER,
    ),
    Route(
        Kind.ACTION, detail_views.AFTER, task_details.turn, "tasks", "Turn the messages of a task.", role=Role.VIEWER
    ),
    Route(Kind.ACTION, detail_views.REFRESH, task_details.turn, "tasks", "Bring a task up to date.", role=Role.VIEWER),
    Route(
        Kind.ACTION,
        detail_views.FIND,
        task_details.find_form,
        "tasks",
        "Open the form that finds a number in a task.",
        role=Role.VIEWER,
    ),
    Route(
        Kind.VIEW,
        detail_views.FIND_FORM,
        task_details.find,
        "tasks",
        "Find a number in a task.",
        role=Role.VIEWER,
        acknowledged_with_reply=True,
    ),
    Route(Kind.ACTION, task_buttons.FAILED_NUMBERS, tasks.failed_numbers, "tasks", "Get the file of failed numbers."),
    Route(
        Kind.ACTION, task_buttons.FILES, tasks.files_form, "tasks", "Choose which numbers of a task to get as a file."
    ),
    Route(Kind.VIEW, detail_views.FILES_FORM, tasks.submit_files, "tasks", "Get numbers of a task as a file."),
    Route(Kind.ACTION, task_buttons.CANCEL, tasks.cancel, "tasks", "Cancel a scheduled task."),
    Route(Kind.ACTION, task_buttons.STOP, tasks.stop, "tasks", "Stop a task."),
    Route(Kind.ACTION, task_buttons.PAUSE, tasks.pause, "tasks", "Pause a task."),
    Route(Kind.ACTION, task_buttons.RESUME, tasks.resume, "tasks", "Go on with a paused or late task."),
    Route(Kind.ACTION, task_buttons.DELETE, tasks.delete, "tasks", "Take a task off the list."),
    Route(Kind.ACTION, task_buttons.EDIT, task_changes.edit_form, "tasks", "Open the form of a scheduled task."),
    Route(
        Kind.VIEW,
        edit_views.EDIT_FORM,
        task_changes.submit_edit,
        "tasks",
        "Change a scheduled task.",
        acknowledged_with_reply=True,
    ),
    Route(Kind.ACTION, task_buttons.COPY, task_changes.copy, "tasks", "Preview a copy of a task.", needs_channel=True),
    Route(
        Kind.ACTION,
        task_buttons.RESEND_FAILED,
        task_changes.resend_failed,
        "tasks",
        "Preview a resend to failed numbers.",
        needs_channel=True,
    ),
    Route(
        Kind.ACTION,
        task_buttons.RESEND_UNKNOWN,
        task_changes.ask_unknown,
        "tasks",
        "Tell what a resend to unknown numbers risks.",
    ),
    Route(
        Kind.ACTION,
        edit_views.RESEND_ANYWAY,
        task_changes.resend_unknown,
        "tasks",
        "Preview a resend to unknown numbers.",
        needs_channel=True,
    ),
    Route(Kind.ACTION, edit_views.LEAVE, task_changes.leave, "tasks", "Leave unknown numbers alone."),
    Route(
        Kind.ACTION, content_views.PREVIOUS_PAGE, content.turn_page, "contents", "Turn a page back.", role=Role.VIEWER
    ),
    Route(Kind.ACTION, content_views.NEXT_PAGE, content.turn_page, "contents", "Turn a page.", role=Role.VIEWER),
    Route(Kind.ACTION, content_views.REFRESH, content.refresh, "contents", "Ask the carriers for their content."),
    Route(
        Kind.ACTION,
        content_views.NEW_TEMPLATE,
        content.new_template,
        "contents",
        "Open the form of a new template.",
        needs_channel=True,
    ),
    Route(
        Kind.ACTION,
        content_views.NEW_SIGNATURE,
        content.new_signature,
        "contents",
        "Open the form of a new signature.",
        needs_channel=True,
    ),
    Route(
        Kind.VIEW,
        content_forms.APPLICATION_FORM,
        content.choose_application,
        "contents",
        "Choose the application of something new.",
    ),
    Route(
        Kind.VIEW,
        content_forms.TEMPLATE_FORM,
        content.submit_template,
        "contents",
        "Add or edit a template.",
        acknowledged_with_reply=True,
    ),
    Route(
        Kind.VIEW,
        content_forms.SIGNATURE_FORM,
        content.submit_signature,
        "contents",
        "Add or edit a signature.",
        acknowledged_with_reply=True,
    ),
    Route(
        Kind.ACTION,
        content_views.MORE,
        content.more,
        "contents",
        "Edit, associate, disable or enable.",
        needs_channel=True,
    ),
    Route(
        Kind.VIEW,
        content_forms.ASSOCIATE_FORM,
        content.submit_associate,
        "contents",
        "Tie a template to a signature.",
        acknowledged_with_reply=True,
    ),
    Route(
        Kind.VIEW,
        content_forms.TYPE_FORM,
        content.submit_type,
        "contents",
        "Say the SMS type that a carrier does not say.",
        role=Role.APPROVER,
    ),
    Route(
        Kind.VIEW, content_forms.DISABLE_FORM, content.submit_disable, "contents", "Disable a template or signature."
    ),
    Route(
        Kind.ACTION,
        content_views.APPROVE,
        content.approve,
        "contents",
        "Approve a template or signature.",
        role=Role.APPROVER,
    ),
    Route(
        Kind.ACTION, content_views.REJECT, content.reject, "contents", "Open the form of a reason.", role=Role.APPROVER
    ),
    Route(
        Kind.VIEW,
        content_forms.REJECT_FORM,
        content.submit_reject,
        "contents",
        "Reject a template or signature.",
        role=Role.APPROVER,
        acknowledged_with_reply=True,
    ),
    Route(
        Kind.ACTION,
        content_views.RECEIPTS_ADDRESS,
        content.receipts_address,
        "contents",
        "Show the secret address of an application's reports.",
        role=Role.ADMIN,
    ),
)


def help_lines() -> list[tuple[str, str]]:
    """(usage, what it does) of every command."""
    return [(f"{route.key} {route.usage}".strip(), route.does) for route in ROUTES if route.kind is Kind.COMMAND]
