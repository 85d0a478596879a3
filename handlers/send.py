"""`/sms-send`: a preview, a test if wanted, then the button that sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from handlers import arguments
from handlers.arguments import Arguments, BadArguments
from handlers.errors import explain_in_form
from handlers.replies import FieldErrors, Later, OpenForm, Replace, Reply, Say
from handlers.requests import Click, Command, Request, Submission
from handlers.times import describe_time, parse_time
from handlers.views import enter as enter_views
from handlers.views import send as views
from handlers.views.words import counted
from services.confirm import Confirmations
from services.content import Content
from services.draft_tests import MOST_NUMBERS, DraftTests
from services.entries import CheckedLines, WrongLine, check_lines
from services.errors import NotAllowed, ServiceError
from services.groups import Groups
from services.hours import next_allowed
from services.imports import Import, Imports
from services.previews import Checked, Preview, Previews, SendRequest
from services.states import Source

KEYS = ("group", "template", "exclude", "signature", "app", "at", "name")
POOL = "pool"
_EXAMPLE = "/sms-send group:vip template:spring"


@dataclass(frozen=True, slots=True)
class Sending:
    """The services this file needs. More than `many` rows take a second or more to count."""

    previews: Previews
    confirmations: Confirmations
    tests: DraftTests
    groups: Groups
    content: Content
    imports: Imports
    many: int = 100_000


def command(request: Command, service: Sending) -> Reply:
    """A preview of what was typed; the form where nothing was."""
    _need_channel(request)
    if not request.text.strip():
        return _form(request, service)
    given = arguments.parse(request.text, KEYS, words=True)
    if others := [word for word in given.words if word.lower() != POOL]:
        raise BadArguments("no_key", others[0], KEYS)
    if given.words and given.all("group"):
        raise NotAllowed("pool_and_group")
    if not given.words and not given.all("group"):
        raise NotAllowed("key_missing", key="group", example=_EXAMPLE)
    if not given.all("template"):
        raise NotAllowed("key_missing", key="template", example=_EXAMPLE)
    return _preview(request, service, service.previews.check(request.workspace, _wanted(given, request)))


def open_form(request: Click, service: Sending) -> Reply:
    """**Send SMS** on a group or an import's post: the form with that group chosen."""
    _need_channel(request)
    return _form(request, service, chosen_group=int(request.value))


def open_form_for_file(request: Click, service: Sending) -> Reply:
    """**Send SMS** on the post of a file for one send alone: the form with that file as source."""
    _need_channel(request)
    file = service.imports.get(request.workspace, int(request.value))
    return _form(request, service, file=file)


def submit_form(request: Submission, service: Sending) -> Reply:
    """The form's fields, checked where the person can still mend them."""
    errors: dict[str, str] = {}
    at, lines = None, None
    try:
        at = parse_time(request.values["at"], request.now, request.zone) if request.values.get("at") else None
    except ServiceError as error:
        errors["at"] = explain_in_form(error, request.zone)
    try:
        source = _source(request)
    except NotAllowed as error:
        return FieldErrors({**errors, "numbers": explain_in_form(error, request.zone)})
    if source is Source.TYPED:
        try:
            lines = check_lines(request.values["numbers"], request.region)
        except ServiceError as error:
            errors["numbers"] = explain_in_form(error, request.zone)
        if lines and (not lines.right or (lines.wrong and enter_views.LEAVE_OUT not in request.lists.get("wrong", ()))):
            errors["numbers"] = enter_views.wrong_lines(lines.wrong)
    if errors:
        return FieldErrors(errors)
    try:
        checked = service.previews.check(request.workspace, _chosen(request, service, source, at, lines))
        return _preview(request, service, checked)
    except ServiceError as error:
        return FieldErrors({"template": explain_in_form(error, request.zone)})


def confirm(request: Click, service: Sending) -> Reply:
    """The button under the preview: one draft makes one task, however often it is pressed."""
    _need_channel(request)
    size = service.confirmations.size_to_fill(request.workspace, int(request.value))
    if size > service.many:
        return Later(views.filling(size), lambda: _confirmed(request, service))
    return _confirmed(request, service)


def _confirmed(request: Click, service: Sending) -> Reply:
    made = service.confirmations.confirm(request.workspace, int(request.value), request.person)
    if isinstance(made, Preview):
        return _shown_again(request, made)
    customers = counted(made.recipients, "customer")
    if made.scheduled_at is None:
        return Replace(f"Task {made.number} is sending to {customers}. Its progress is in the channel.")
    return Replace(
        f"Task {made.number} is scheduled for {describe_time(made.scheduled_at, request.zone)}, to {customers}. "
        f"`/sms-cancel {made.number}` takes it back until 5 minutes before."
    )


def leave_out(request: Click, service: Sending) -> Reply:
    """**Leave 3 out**: the same without the rows that lack a value."""
    return _again(request, service, without_missing=True)


def reschedule(request: Click, service: Sending) -> Reply:
    """**Schedule for …** where carriers refuse it at the hour wanted: the same at the next minute they take it."""
    wanted = service.previews.wanted(request.workspace, int(request.value))
    return _again(request, service, at=next_allowed(max(wanted.at or request.now, request.now)))


def discard(request: Click, service: Sending) -> Reply:
    """**Don't send** under a preview."""
    return Replace("Nothing was sent.")


def open_test_form(request: Click, service: Sending) -> Reply:
    """**Test send**: its form, with the person's own number where it is known."""
    own = service.tests.own_number(request.workspace, request.person)
    return OpenForm(views.test_form(own), context=request.value)


def submit_test_form(request: Submission, service: Sending) -> Reply:
    """Send the draft's text to the numbers typed, where all of them are right."""
    typed: dict[str, list[int]] = {"own": [], "others": []}
    errors: dict[str, str] = {}
    for field, most in (("own", 1), ("others", MOST_NUMBERS)):
        try:
            typed[field] = _typed_numbers(request.values.get(field, ""), request.region, most)
        except WrongLines as wrong:
            errors[field] = views.wrong_test_lines(wrong.lines)
        except ServiceError as error:
            errors[field] = explain_in_form(error, request.zone)
    if not errors and not any(typed.values()):
        errors["own"] = explain_in_form(NotAllowed("no_test_number"), request.zone)
    if errors:
        return FieldErrors(errors)
    own = typed["own"][0] if typed["own"] else None
    try:
        task = service.tests.send(request.workspace, int(request.context), request.person, own, typed["others"])
    except ServiceError as error:
        return FieldErrors({"own" if own is not None else "others": explain_in_form(error, request.zone)})
    return Say(
        f"The test to {counted(task.recipients, 'number')} is on its way as task {task.number}; its post in the "
        "channel says how it goes. The preview is still there to be sent."
    )


class WrongLines(Exception):
    """Some of the lines typed are no numbers."""

    def __init__(self, lines: Sequence[WrongLine]) -> None:
        super().__init__(f"{len(lines)} wrong lines")
        self.lines = lines


def _typed_numbers(text: str, region: str, most: int) -> list[int]:
    """Each number once. Raises WrongLines or NotAllowed."""
    if not text.strip():
        return []
    lines = check_lines(text, region, keep_set_aside=True)
    if lines.wrong:
        raise WrongLines(lines.wrong)
    found = list(dict.fromkeys(number for _, number in lines.right))
    if len(found) > most:
        raise NotAllowed("too_many_tests", number=len(found), limit=most)
    return found


def _wanted(given: Arguments, request: Request) -> SendRequest:
    at = given.one("at")
    return SendRequest(
        groups=given.all("group"),
        template=given.one("template") or "",
        exclude=given.all("exclude"),
        signature=given.one("signature"),
        application=given.one("app"),
        at=parse_time(at, request.now, request.zone) if at is not None else None,
        name=given.one("name"),
        source=Source.POOL if given.words else Source.GROUPS,
    )


def _source(request: Submission) -> Source:
    """The one source that the form names. Raises NotAllowed("no_source" | "several_sources")."""
    if request.context:
        return Source.FILE
    named = {
        Source.GROUPS: bool(request.lists.get("group")),
        Source.POOL: bool(request.lists.get("pool")),
        Source.TYPED: bool(request.values.get("numbers", "").strip()),
    }
    found = [source for source, is_named in named.items() if is_named]
    if not found:
        raise NotAllowed("no_source")
    if len(found) > 1:
        raise NotAllowed("several_sources")
    return found[0]


def _chosen(
    request: Submission, service: Sending, source: Source, at: datetime | None, lines: CheckedLines | None
) -> SendRequest:
    def names(field: str) -> list[str]:
        return [service.groups.by_id(request.workspace, int(each)).name for each in request.lists.get(field, ())]

    template = service.content.template(request.workspace, int(request.values["template"]))
    return SendRequest(
        groups=names("group"),
        template=template.name,
        exclude=names("exclude"),
        signature=request.values.get("signature") or None,
        application=template.application,
        at=at,
        name=request.values.get("name", "").strip() or None,
        source=source,
        import_id=int(request.context) if request.context else None,
        lines=lines,
    )


def _preview(request: Request, service: Sending, checked: Checked) -> Say | Later:
    """The preview, or a word that it is being counted where that takes long."""

    def work() -> Say:
        shown = service.previews.draft_checked(request.channel, request.person, checked)
        return views.preview(shown, request.zone, request.now)

    return Later(views.counting(checked.audience.size), work) if checked.audience.size > service.many else work()


def _again(request: Click, service: Sending, **changes: Any) -> Replace | Later:
    """The same wish with something changed, in the place of its preview."""
    _need_channel(request)
    wanted = replace(service.previews.wanted(request.workspace, int(request.value)), **changes)
    checked = service.previews.check(request.workspace, wanted)

    def work() -> Replace:
        return _shown_again(request, service.previews.draft_checked(request.channel, request.person, checked))

    return Later(views.counting(checked.audience.size), work) if checked.audience.size > service.many else work()


def _shown_again(request: Click, shown: Preview) -> Replace:
    fresh = views.preview(shown, request.zone, request.now)
    return Replace(fresh.text, fresh.blocks)


def _form(
    request: Request, service: Sending, *, chosen_group: int | None = None, file: Import | None = None
) -> OpenForm:
    choices = service.content.choices(request.workspace)
    templates = choices.templates
    if not templates:
        raise NotAllowed("no_templates", not_shown=choices.not_shown)
    universal = sorted({template.application_id for template in templates if template.is_universal})
    by_application = [
        [each.name for each in service.content.signatures(request.workspace, application)] for application in universal
    ]
    # Where there is but one, it is clear.
    signatures = sorted({name for names in by_application if len(names) > 1 for name in names})
    groups = service.groups.recent(request.workspace)
    view = views.send_form(groups, templates, chosen_group, choices.not_shown, file=file, signatures=signatures)
    return OpenForm(view, context="" if file is None else str(file.id))


def _need_channel(request: Request) -> None:
    """A result must have a place to go before anything is sent."""
    if not request.bot_in_channel:
        raise NotAllowed("bot_not_in_channel")
