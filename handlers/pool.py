"""`/sms-pool`: totals, one number, numbers by their last digits."""

from __future__ import annotations

import unicodedata

from handlers import arguments
from handlers.replies import Replace, Reply
from handlers.requests import Click, Command
from handlers.roles import Role
from handlers.views import pool as views
from services.errors import NotAllowed
from services.numbers import check
from services.pool import Pool

FEWEST, MOST = 4, 8


def command(request: Command, service: Pool) -> Reply:
    """The totals; a number; or 4 to 8 digits that numbers end in."""
    typed = " ".join(arguments.parse(request.text, (), words=True).words)
    if not typed:
        return views.totals(service.totals(request.workspace))
    digits = unicodedata.normalize("NFKC", typed).replace(" ", "")
    if digits.isascii() and digits.isdecimal() and FEWEST <= len(digits) <= MOST:
        return views.hits(digits, service.search(request.workspace, digits))
    verdict = check(typed, request.region)
    # A landline may be in a group as well: somebody may have kept it.
    number = verdict.number or verdict.candidate
    if number is None:
        raise NotAllowed("no_such_number", name=typed)
    return views.whereabouts(service.find(request.workspace, number))


def role_of(request: Command) -> Role:
    """Everybody may count; whole numbers and what they were sent are for those who send."""
    return Role.SENDER if request.text.strip() else Role.VIEWER


def look_up(request: Click, service: Pool) -> Reply:
    """A number among the hits of a search."""
    return views.whereabouts(service.find(request.workspace, int(request.value)))


def remove(request: Click, service: Pool) -> Reply:
    """**Remove it everywhere**, confirmed."""
    number = int(request.value)
    return Replace(views.removed(service.remove(request.workspace, number), number))
