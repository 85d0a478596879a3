"""The one table: every row can be reached, is explained, and finds its service."""

from __future__ import annotations

import inspect
from typing import get_args

import pytest

from bot.use_cases import Services
from handlers import help as help_
from handlers.replies import FieldErrors, Say
from handlers.requests import Click, Command, Request, Submission, Upload
from handlers.roles import Role
from handlers.routes import ROUTES, Kind, Route, help_lines
from handlers.views import content as content_views
from handlers.views import groups as group_views
from handlers.views import opt_outs as opt_out_views
from handlers.views import task_buttons
from handlers.views import task_details as task_details_views
from handlers.views import task_list as task_list_views
from tests.handlers.samples import dropped, typed

REQUESTS = {Kind.COMMAND: Command, Kind.ACTION: Click, Kind.VIEW: Submission, Kind.EVENT: Upload}
each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)


def test_every_key_is_there_once() -> None:
    keys = [(route.kind, route.key) for route in ROUTES]
    assert len(set(keys)) == len(keys)


@each_route
def test_a_route_names_a_service_there_is(route: Route) -> None:
    assert route.service in Services.__slots__


@each_route
def test_a_route_takes_the_request_of_its_kind(route: Route) -> None:
    parameters = list(inspect.signature(route.handler, eval_str=True).parameters.values())
    assert [each.name for each in parameters] == ["request", "service"]
    taken = parameters[0].annotation
    assert REQUESTS[route.kind] in (get_args(taken) or [taken]), "a command's handler may be its button's too"
    assert not inspect.iscoroutinefunction(route.handler)


@each_route
def test_a_route_says_what_it_does(route: Route) -> None:
    assert route.does[0].isupper()
    assert route.does.endswith(".")


@each_route
def test_only_forms_are_acknowledged_with_their_reply(route: Route) -> None:
    made_by = inspect.getsource(route.handler)
    assert route.acknowledged_with_reply == (FieldErrors.__name__ in made_by)
    assert not route.acknowledged_with_reply or route.kind is Kind.VIEW


def test_every_command_is_in_the_help_with_its_usage() -> None:
    commands = [route for route in ROUTES if route.kind is Kind.COMMAND]
    answer = help_.command(typed("", "/sms-help"), help_lines())
    assert isinstance(answer, Say)
    shown = str(answer.blocks)
    for route in commands:
        assert route.key.startswith("/sms-")
        assert f"`{route.key} {route.usage}".strip() in shown
        assert route.does in shown


# Everything else changes something, sends, or gives whole numbers.
ONLY_SHOWS = {
    "/sms-apps",
    "/sms-groups",
    "/sms-help",
    "/sms-optouts",
    "/sms-pool",
    "/sms-signatures",
    "/sms-task",
    "/sms-tasks",
    "/sms-templates",
    content_views.NEXT_PAGE,
    content_views.PREVIOUS_PAGE,
    group_views.NEXT_PAGE,
    group_views.PREVIOUS_PAGE,
    opt_out_views.NEXT_PAGE,
    opt_out_views.PREVIOUS_PAGE,
    task_buttons.DETAILS,
    task_details_views.AFTER,
    task_details_views.BEFORE,
    task_details_views.FIND,
    task_details_views.FIND_FORM,
    task_details_views.REFRESH,
    task_list_views.NEWER,
    task_list_views.OLDER,
    task_list_views.REFRESH,
}


def test_viewers_may_only_look() -> None:
    assert {route.key for route in ROUTES if route.role is Role.VIEWER} == ONLY_SHOWS


@pytest.mark.parametrize(
    ("key", "request_", "role"),
    [
        ("/sms-groups", typed("name:vi"), Role.VIEWER),
        ("/sms-groups", typed("create name:vip type:promotional"), Role.SENDER),
        ("/sms-pool", typed(" "), Role.VIEWER),
        ("/sms-pool", typed("8000"), Role.SENDER),
        ("/sms-send", typed(""), Role.SENDER),
        ("message", dropped("customers.xlsx"), Role.SENDER),
        ("message", dropped("customers", "group:vip"), Role.SENDER),
        ("message", dropped("cat.png"), None),
    ],
)
def test_what_is_asked_for_decides_where_a_command_does_more_than_show(
    key: str, request_: Request, role: Role | None
) -> None:
    (route,) = [each for each in ROUTES if each.key == key]
    assert route.needs(request_) is role
