"""`/sms-tasks`: filters as people type them, and pages that turn in place and keep them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from handlers import task_list as handler
from handlers.arguments import BadArguments
from handlers.dates import UnclearDay
from handlers.errors import explain
from handlers.replies import Replace, Reply, Say
from handlers.tasks import Tasks
from handlers.views import task_list as views
from services.errors import NotAllowed, ServiceError, UnknownThing
from services.previews import SendRequest
from services.states import TaskState
from tests.handlers.samples import ANA_HERE, clicked, typed
from tests.services.builders import ANA, BEN, CHANNEL, FIRST_NUMBER, Marketing

HOUR = timedelta(hours=1)


def shown(reply: Reply) -> list[int]:
    """The numbers of the tasks, in order."""
    assert isinstance(reply, Say | Replace)
    actions = [block["elements"] for block in reply.blocks if block["type"] == "actions"]
    return [int(row[0]["value"]) for row in actions if row[0]["action_id"] == "task_details"]


def button(reply: Reply, action_id: str) -> str | None:
    assert isinstance(reply, Say | Replace)
    last = reply.blocks[-1]["elements"]
    return next((each["value"] for each in last if each["action_id"] == action_id), None)


def list_(text: str, tasks: Tasks, **values: Any) -> Reply:
    return handler.command(typed(text, "/sms-tasks", **values), tasks)


@pytest.fixture
def many(marketing: Marketing) -> Marketing:
    """Twenty tasks; the even ones Ben's, every fifth one stopped."""
    marketing.a_group("vip", [FIRST_NUMBER])
    for n in range(1, 21):
        wanted = SendRequest(["vip"], "spring", name=f"spring {n}")
        draft = marketing.previews.draft(marketing.workspace_id, CHANNEL, ANA if n % 2 else BEN, wanted)
        marketing.confirmed(draft)
        if n % 5 == 0:
            marketing.tasks.stop(marketing.workspace_id, n, ANA)
    return marketing


def test_the_list_turns_in_place(many: Marketing, tasks: Tasks) -> None:
    first = list_("", tasks)
    assert shown(first) == [*range(20, 12, -1)]
    assert button(first, views.NEWER) is None
    second = handler.turn(clicked(button(first, views.OLDER)), tasks)
    assert isinstance(second, Replace)
    assert shown(second) == [*range(12, 4, -1)]
    third = handler.turn(clicked(button(second, views.OLDER)), tasks)
    assert shown(third) == [4, 3, 2, 1]
    assert button(third, views.OLDER) is None
    back = handler.turn(clicked(button(third, views.NEWER)), tasks)
    assert shown(back) == shown(second)


def test_a_refresh_shows_the_same_page_as_it_is_now(many: Marketing, tasks: Tasks) -> None:
    second = handler.turn(clicked(button(list_("", tasks), views.OLDER)), tasks)
    many.tasks.stop(many.workspace_id, 12, ANA)
    again = handler.turn(clicked(button(second, views.REFRESH)), tasks)
    assert shown(again) == shown(second)
    assert isinstance(again, Replace)
    assert "*stopped*" in str(again.blocks[1])


def test_filters_survive_in_the_buttons(many: Marketing, tasks: Tasks) -> None:
    first = list_(f"by:<@{BEN}|ben> status:Sending name:SPRING date:today", tasks)
    assert shown(first) == [18, 16, 14, 12, 8, 6, 4, 2]
    assert shown(list_("by:me status:stopped", tasks)) == [15, 5]
    many.clock.move(timedelta(days=1))
    later = list_("by:me name:spring", tasks)
    second = handler.turn(clicked(button(later, views.OLDER)), tasks)
    assert shown(second) == [3, 1]
    assert isinstance(second, Replace)
    assert "by:me name:spring" in second.text


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("date:2026-03-04", [2, 1]),
        ("date:today", [2, 1]),
        ("date:yesterday", []),
        ("date:2026/3/5", [3]),
        ("date:明天", [3]),
        ("from:today to:tomorrow", [3, 2, 1]),
        ("from:tomorrow", [3]),
        ("to:today", [2, 1]),
    ],
)
def test_days_are_those_of_the_persons_own_zone(
    text: str, numbers: list[int], marketing: Marketing, tasks: Tasks
) -> None:
    marketing.a_confirmed_task(1, group="a")
    marketing.a_confirmed_task(1, group="b", at=marketing.in_(20 * HOUR))
    # 23:30 UTC: half past midnight in Madrid.
    marketing.a_confirmed_task(1, group="c", at=marketing.in_(timedelta(hours=21, minutes=30)))
    assert shown(list_(text, tasks)) == numbers


def test_deleted_ones_are_in_the_history(marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(1)
    marketing.tasks.stop(marketing.workspace_id, 1, ANA)
    marketing.changes.delete(marketing.workspace_id, 1, ANA)
    assert shown(list_("", tasks)) == []
    gone = list_("status:deleted", tasks)
    assert shown(gone) == [1]
    assert isinstance(gone, Say)
    assert "1 held back" not in gone.text
    assert "*deleted*" in str(gone.blocks)


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        (
            "by:@ana",
            UnknownThing,
            "I do not know who *@ana* is. Type `by:@` and choose a person from Slack's list, or write `by:me`.",
        ),
        (
            "date:soon",
            UnclearDay,
            "*soon* is no day that I understand. Write it like `2026-11-24`, `today` or `yesterday`.",
        ),
        ("date:2026-02-30", UnclearDay, None),
        ("date:today from:today", NotAllowed, None),
        (
            "from:2026-03-05 to:2026-03-04",
            NotAllowed,
            "`from:` (*2026-03-05*) is after `to:` (*2026-03-04*). Turn them around.",
        ),
        ("group:nobody", UnknownThing, None),
        ("name:a,b", BadArguments, None),
        (f"name:{'x' * 300}", NotAllowed, None),
        ("spring", BadArguments, None),
    ],
)
def test_a_wrong_filter_is_named_with_the_way_out(
    text: str, error: type[ServiceError], sentence: str | None, tasks: Tasks
) -> None:
    with pytest.raises(error) as raised:
        list_(text, tasks)
    said = explain(raised.value, ANA_HERE["zone"])
    assert sentence in (None, said)


@pytest.mark.parametrize("name", ['"' + "群" * 235 + '"', '"' + "\\<&\t" * 58 + '"'])
def test_the_longest_filters_fit_in_a_button(name: str, marketing: Marketing, tasks: Tasks) -> None:
    empty = list_(f"name:{name}", tasks)
    value = button(empty, views.REFRESH)
    assert value is not None
    assert len(value) <= 2000
    assert json.loads(value)["n"]
    assert shown(handler.turn(clicked(value), tasks)) == []


def test_each_row_offers_what_can_be_done(marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(1, group="a", at=marketing.in_(HOUR))
    marketing.a_confirmed_task(1, group="b")
    marketing.a_confirmed_task(1, group="c")
    marketing.tasks.pause(marketing.workspace_id, 3, ANA)
    marketing.a_confirmed_task(1, group="d")
    marketing.tasks.stop(marketing.workspace_id, 4, ANA)
    reply = list_("", tasks)
    assert isinstance(reply, Say)
    rows = [block["elements"] for block in reply.blocks if block["type"] == "actions"][:-1]
    assert [[each["text"]["text"] for each in row] for row in rows] == [
        ["Details", "Delete"],
        ["Details", "Go on", "Stop"],
        ["Details", "Pause", "Stop"],
        ["Details", "Edit…", "Cancel"],
    ]
    assert tasks.reports.get(marketing.workspace_id, 3).state is TaskState.PAUSED


def test_another_person_elsewhere_has_other_days(marketing: Marketing, tasks: Tasks) -> None:
    marketing.a_confirmed_task(1)
    # Ten in the morning in Shanghai is still yesterday in Honolulu.
    assert shown(list_("date:2026-03-03", tasks, zone=ZoneInfo("Pacific/Honolulu"))) == [1]
    assert shown(list_("date:2026-03-03", tasks)) == []
