"""`/sms-task 42`: one task and its messages, in pages that turn in place, and by number."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from handlers import arguments
from handlers.errors import explain_in_form
from handlers.replies import FieldErrors, OpenForm, Replace, Reply, Say
from handlers.requests import Click, Command, Request, Submission
from handlers.tasks import Tasks, number_of
from handlers.views import task_details as views
from services.errors import NotAllowed, ServiceError
from services.numbers import check
from services.task_messages import MessagePlace

PAGE_SIZE = 6
FEWEST, MOST = 4, 8


def command(request: Command, service: Tasks) -> Reply:
    """The task, and its messages from the first, or those to one number."""
    given = arguments.parse(request.text, ("number",), words=True)
    typed = given.one("number")
    number = number_of(" ".join(given.words))
    return _show(request, service, number, MessagePlace() if typed is None else _searched(typed), typed or "")


def show(request: Click, service: Tasks) -> Reply:
    """**Details** in the list and on a result."""
    return _show(request, service, int(request.value), MessagePlace(), "")


def turn(request: Click, service: Tasks) -> Reply:
    """**Previous**, **Next** and **Refresh** under the messages, which become that page."""
    number, side, seq, search = request.value.split(":", 3)
    place = MessagePlace() if not search else _searched(search)
    place = replace(place, side="before" if side == "before" else "after", seq=int(seq))
    shown = _show(request, service, int(number), place, search)
    return Replace(shown.text, shown.blocks)


def find_form(request: Click, service: Tasks) -> Reply:
    """**Find a number…**."""
    return OpenForm(
        views.find_form(service.reports.get_with_numbers(request.workspace, int(request.value))), context=request.value
    )


def find(request: Submission, service: Tasks) -> Reply:
    """The messages to the number in the form."""
    typed = request.values["number"].strip()
    try:
        shown = _show(request, service, int(request.context), _searched(typed), typed)
    except ServiceError as error:
        return FieldErrors({"number": explain_in_form(error, request.zone)})
    return Replace(shown.text, shown.blocks)


def _searched(typed: str) -> MessagePlace:
    """A whole number, or 4 to 8 digits that it ends in. Raises NotAllowed."""
    digits = unicodedata.normalize("NFKC", typed).replace(" ", "")
    if digits.isascii() and digits.isdecimal() and FEWEST <= len(digits) <= MOST:
        return MessagePlace(ending=digits)
    verdict = check(typed)
    number = verdict.number or verdict.candidate
    if number is None:
        raise NotAllowed("no_such_number", name=typed)
    return MessagePlace(number=number)


def _show(request: Request, service: Tasks, number: int, place: MessagePlace, search: str) -> Say:
    task = service.reports.get(request.workspace, number)
    page = service.messages.page(task, place, PAGE_SIZE)
    first, last = (page.messages[0].seq, page.messages[-1].seq) if page.messages else (place.seq, place.seq)
    before, after = f"{number}:before:{first}:{search}", f"{number}:after:{last}:{search}"
    return views.details(task, page, search, before, after, f"{number}:{place.side}:{place.seq}:{search}")
