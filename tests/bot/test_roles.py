"""Who may do what: the settings' people and user groups, and the edge that asks before every handler."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.applications_file import RoleSettings
from bot.roles import KEPT_SECONDS, RETRY_SECONDS, Roles
from bot.slack_app import Edge
from bot.slack_calls import slack_client
from bot.workspaces import only_home
from handlers.replies import Nothing, Say
from handlers.requests import Click, Command, Request, Submission, Upload
from handlers.roles import Role
from handlers.routes import ROUTES, Kind, Route
from sandbox.slack.server import SlackSandbox
from sandbox.slack.workspace import TEAM_ID, USERGROUPS
from services.database import Database
from tests.bot.settings import WHOLE, a_config
from tests.bot.workplace import MANIFEST, Workplace, opened, words
from tests.handlers.samples import clicked, dropped, sent, typed
from tests.sandbox.people import until
from tests.services.builders import numbers

ANA, BEN, MEI = "U0ANA", "U0BEN", "U0MEI"
# Ana and Mei.
MARKETING_TEAM = "S0MARKETING"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(MANIFEST)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


class Register:
    """Roles as the bot asks for them, with a clock that the test moves."""

    def __init__(self, slack: SlackSandbox, folder: Path, **given: tuple[str, ...]) -> None:
        self.seconds = 0.0
        client = slack_client(a_config(folder, SLACK_API_URL=slack.api_url).slack)
        self.roles = Roles(RoleSettings(**given), only_home(TEAM_ID, client), lambda: self.seconds)
        self._slack = slack

    async def of(self, person: str, after: float = 0.0) -> Role | None:
        self.seconds += after
        return await self.roles.of(TEAM_ID, person)

    @property
    def asked(self) -> int:
        return sum(call["method"] == "usergroups.users.list" for call in self._slack.core.calls)


async def test_with_no_role_set_everybody_sends_and_approves_and_nobody_is_an_admin(
    slack: SlackSandbox, tmp_path: Path
) -> None:
    register = Register(slack, tmp_path)
    assert await register.of(BEN) is Role.APPROVER
    assert register.roles.holders(Role.ADMIN) == []


async def test_people_and_user_groups_have_their_highest_role(slack: SlackSandbox, tmp_path: Path) -> None:
    register = Register(slack, tmp_path, admin=(MEI,), approver=(MARKETING_TEAM,), sender=(BEN, ANA))
    assert [await register.of(each) for each in (ANA, BEN, MEI)] == [Role.APPROVER, Role.SENDER, Role.ADMIN]
    assert register.roles.holders(Role.APPROVER) == [MARKETING_TEAM, MEI]


async def test_whoever_is_in_none_may_look_unless_the_settings_name_who_may(
    slack: SlackSandbox, tmp_path: Path
) -> None:
    assert await Register(slack, tmp_path, sender=(ANA,)).of(BEN) is Role.VIEWER
    closed = Register(slack, tmp_path, sender=(ANA,), viewer=(MEI,))
    assert [await closed.of(each) for each in (ANA, BEN, MEI)] == [Role.SENDER, None, Role.VIEWER]


async def test_a_user_group_is_asked_for_again_after_five_minutes(
    slack: SlackSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = Register(slack, tmp_path, sender=(MARKETING_TEAM,))
    assert await register.of(BEN) is Role.VIEWER
    monkeypatch.setitem(USERGROUPS, MARKETING_TEAM, ("marketing-team", [BEN]))
    assert await register.of(BEN, after=KEPT_SECONDS - 1) is Role.VIEWER
    assert register.asked == 1
    assert await register.of(BEN, after=1) is Role.SENDER
    assert await register.of(ANA) is Role.VIEWER


async def test_where_slack_fails_the_members_known_before_stay_and_nobody_else_gets_in(
    slack: SlackSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = Register(slack, tmp_path, sender=(MARKETING_TEAM,), admin=("S0NOBODY",))
    assert await register.of(ANA) is Role.SENDER
    monkeypatch.delitem(USERGROUPS, MARKETING_TEAM)
    assert await register.of(ANA, after=KEPT_SECONDS) is Role.SENDER
    assert await register.of(BEN) is Role.VIEWER
    asked = register.asked
    assert await register.of(ANA, after=RETRY_SECONDS) is Role.SENDER
    assert register.asked > asked


REQUESTS: dict[Kind, Request] = {
    Kind.COMMAND: typed("create name:x type:promotional"),
    Kind.ACTION: clicked("1"),
    Kind.VIEW: sent("1"),
    Kind.EVENT: dropped("customers.xlsx"),
}


async def reply(edge: Edge, route: Route, request: Request | None = None) -> object:
    """What the edge makes of a request, without Slack between."""
    request = request or REQUESTS[route.kind]

    async def make() -> Request:
        return request

    destination: Any = None
    return await edge._reply(route, make, destination)


@pytest.fixture
async def where_ana_looks(sqlite: Database) -> AsyncIterator[Workplace]:
    """Ben sends, Mei is an admin, everybody else looks."""
    async with opened(sqlite, http=False, roles=RoleSettings(sender=(BEN,), admin=(MEI,))) as made:
        yield made


async def test_a_viewer_reaches_no_handler_that_changes_or_sends(where_ana_looks: Workplace) -> None:
    where_ana_looks.services.clear()
    refused = {}
    for route in ROUTES:
        if (route.needs(REQUESTS[route.kind]) or Role.VIEWER) > Role.VIEWER:
            answer = await reply(where_ana_looks.edge, route)
            assert isinstance(answer, Say), route.key
            refused[route.key] = answer.text
    assert {text.partition(". ")[0] for text in refused.values()} <= {
        f"This needs the role *{role.word}*" for role in (Role.SENDER, Role.APPROVER, Role.ADMIN)
    }
    assert refused["/sms-send"] == f"This needs the role *sender*. Ask <@{BEN}> or <@{MEI}>."


async def test_whom_the_settings_do_not_name_at_all_may_not_even_look(sqlite: Database) -> None:
    async with opened(sqlite, http=False, roles=RoleSettings(viewer=(MEI,))) as place:
        place.services.clear()
        for route in ROUTES:
            answer = await reply(place.edge, route)
            assert isinstance(answer, Say), route.key
            assert answer.text.startswith("This needs the role "), route.key


@pytest.mark.parametrize(
    ("name", "text"), [("cat.png", ""), ("notes.docx", "see the group: of last week")], ids=["a picture", "a text"]
)
async def test_who_drops_what_is_not_meant_for_us_hears_nothing(
    where_ana_looks: Workplace, name: str, text: str
) -> None:
    (route,) = [each for each in ROUTES if each.kind is Kind.EVENT]
    where_ana_looks.services.clear()
    assert await reply(where_ana_looks.edge, route, dropped(name, text.replace("group:", "group"))) == Nothing()


async def test_a_viewer_looks_and_is_told_who_may_do_more(where_ana_looks: Workplace) -> None:
    ana, ben = where_ana_looks.person(), where_ana_looks.person(BEN)
    where_ana_looks.marketing.a_group("vip", numbers(3))
    assert "No send tasks yet" in words(await ana.answer("/sms-tasks"))
    for line in ("/sms-send group:vip template:spring", "/sms-cancel 1"):
        assert "needs the role *sender*" in words(await ana.answer(line))
    assert "Send to 3 customers" in words(await ben.answer("/sms-send group:vip template:spring"))


async def test_a_button_that_somebody_else_was_given_is_no_way_around(where_ana_looks: Workplace) -> None:
    where_ana_looks.marketing.a_group("vip", numbers(3))
    preview = await where_ana_looks.person(BEN).answer("/sms-send group:vip template:spring")
    await where_ana_looks.person(BEN).press(preview, "Send to 3 customers")
    await where_ana_looks.person(BEN).sees("Task 1 is sending")
    listed = await where_ana_looks.person().answer("/sms-tasks")
    await where_ana_looks.person().press(listed, "Stop")
    assert await where_ana_looks.person().sees("needs the role *sender*")
    assert not where_ana_looks.marketing.reports.get("T0SANDBOX", 1).state.is_over


async def test_a_file_dropped_by_a_viewer_is_not_imported(where_ana_looks: Workplace, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("mobile\n13812345678\n", "utf-8")
    await where_ana_looks.person().upload(path, "group:vip")
    await until(lambda: where_ana_looks.worked, 20)
    assert await where_ana_looks.person().sees("needs the role *sender*")
    assert where_ana_looks.marketing.imports.running() == []


@pytest.mark.parametrize("request_of", [Command, Click, Submission, Upload])
def test_every_kind_of_request_is_tried(request_of: type[Request]) -> None:
    assert request_of in {type(each) for each in REQUESTS.values()}


def test_roles_stand_beside_the_applications(tmp_path: Path) -> None:
    config = a_config(tmp_path, WHOLE + '\n[roles]\nsender = ["U0ANA", "S0MARKETING"]\n')
    assert config.roles == RoleSettings(sender=("U0ANA", "S0MARKETING"))
    assert config.roles.are_set
    assert not a_config(tmp_path).roles.are_set
