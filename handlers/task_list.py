"""`/sms-tasks`: the send tasks, filtered and in pages that turn in place."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers import arguments
from handlers.arguments import Arguments
from handlers.dates import parse_day, start_of
from handlers.replies import Replace, Reply, Say
from handlers.requests import Click, Command, Request
from handlers.tasks import Tasks
from handlers.views import task_list as views
from services.errors import NotAllowed, UnknownThing
from services.states import TaskState
from services.task_lists import Place, TaskFilter

KEYS = ("name", "status", "group", "by", "date", "from", "to")
DELETED = "deleted"
PAGE_SIZE = 8
# A button carries 2,000 characters, and a character may take six there.
FILTERS_LIMIT = 250
_STATUSES = [*(state.value for state in TaskState if state is not TaskState.DRAFT), DELETED]
# As Slack writes a person who was chosen from its list.
_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^>]*)?>")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter with the words it was asked for in."""

    words: str
    filter: TaskFilter


def command(request: Command, service: Tasks) -> Reply:
    """The newest tasks, of those that were asked for."""
    return _page(request, service, _wanted(request), Place())


def turn(request: Click, service: Tasks) -> Reply:
    """**Newer**, **Older** and **Refresh** under the list, which becomes that page."""
    wanted, place = _unpacked(request.value)
    shown = _page(request, service, wanted, place)
    return Replace(shown.text, shown.blocks)


def _page(request: Request, service: Tasks, wanted: Wanted, place: Place) -> Say:
    page = service.lists.page(request.workspace, wanted.filter, place, PAGE_SIZE)
    newest, oldest = (page.tasks[0].number, page.tasks[-1].number) if page.tasks else (place.than, place.than)
    values = [Place("newer", newest), Place("older", oldest), place]
    return views.task_list(page, wanted.words, *(_packed(wanted, each) for each in values))


def _wanted(request: Command) -> Wanted:
    words = " ".join(request.text.split())
    given = arguments.parse(request.text, KEYS)
    if len(words) > FILTERS_LIMIT:
        raise NotAllowed("filters_too_long", number=len(words), limit=FILTERS_LIMIT)
    status = (given.one("status") or "").lower()
    if status and status not in _STATUSES:
        raise UnknownThing("status", status, _STATUSES)
    since, until = _days(given, request)
    return Wanted(
        words,
        TaskFilter(
            name=given.one("name") or "",
            state=TaskState(status) if status and status != DELETED else None,
            group=given.one("group") or "",
            created_by=_person(given.one("by"), request),
            since=since,
            until=until,
            deleted=status == DELETED,
        ),
    )


def _person(typed: str | None, request: Command) -> str:
    if typed is None:
        return ""
    if typed.casefold() in ("me", "@me"):
        return request.person
    found = _MENTION.fullmatch(typed)
    if found is None:
        raise UnknownThing("person", typed)
    return found[1]


def _days(given: Arguments, request: Command) -> tuple[datetime | None, datetime | None]:
    """From the beginning of the first day to that of the day after the last."""
    day, first, last = given.one("date"), given.one("from"), given.one("to")
    if day is not None and (first is not None or last is not None):
        raise NotAllowed("date_and_range", name=day)
    first, last = (first, last) if day is None else (day, day)
    since = None if first is None else start_of(parse_day(first, request.now, request.zone), request.zone)
    if last is None:
        return since, None
    end = parse_day(last, request.now, request.zone) + timedelta(days=1)
    until = start_of(end, request.zone)
    if since is not None and until <= since:
        raise NotAllowed("range_reversed", first=first, last=last)
    return since, until


def _packed(wanted: Wanted, place: Place) -> str:
    only = wanted.filter
    value: dict[str, Any] = {
        "w": wanted.words,
        "n": only.name,
        "s": only.state.value if only.state else "",
        "g": only.group,
        "b": only.created_by,
        "f": only.since and int(only.since.timestamp()),
        "t": only.until and int(only.until.timestamp()),
        "d": only.deleted,
        "p": place.side,
        "x": place.than,
    }
    return json.dumps({key: each for key, each in value.items() if each}, ensure_ascii=False, separators=(",", ":"))


def _unpacked(packed: str) -> tuple[Wanted, Place]:
    value = json.loads(packed)
    only = TaskFilter(
        name=value.get("n", ""),
        state=TaskState(value["s"]) if "s" in value else None,
        group=value.get("g", ""),
        created_by=value.get("b", ""),
        since=_moment(value.get("f")),
        until=_moment(value.get("t")),
        deleted=value.get("d", False),
    )
    return Wanted(value.get("w", ""), only), Place(value["p"], value.get("x"))


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
