"""What `check-config` says of `[roles]`: whom Slack knows, whom it does not, and whom nobody could be asked about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from slack_sdk.oauth.installation_store import Installation

from bot.environment import OAuthSettings
from bot.oauth import installations_of
from sandbox.slack.core import BOT_TOKEN
from services.database import Database
from tests.bot.checks import Operator

KEY, OTHER_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
# As where workspaces install the app, and none has a token in the settings.
BY_INSTALLATION = {
    "SLACK_BOT_TOKEN": None,
    "SLACK_CLIENT_ID": "1.2",
    "SLACK_CLIENT_SECRET": "secret",
    "SLACK_TOKEN_KEYS": KEY,
    "PUBLIC_URL": "https://sms.example.com",
}
HERE, ELSEWHERE = "T0SANDBOX", "T0AUTUMN"


@pytest.fixture
async def silent_slack() -> AsyncIterator[str]:
    """The address of a Slack to which every token has expired."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"ok": False, "error": "token_expired"})

    app = web.Application()
    app.router.add_route("*", "/api/{method}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    await runner.cleanup()


async def install(folder: Path, team: str, token: str = BOT_TOKEN, key: str = KEY) -> None:
    database = Database(f"sqlite:///{folder / 'sms.db'}")
    database.migrate()
    await installations_of(OAuthSettings("1.2", "secret", (key,)), database).async_save(
        Installation(app_id="A1", team_id=team, bot_token=token, bot_id="B1", bot_user_id="U0BOT", user_id="U0ANA")
    )
    database.close()


def naming(operator: Operator, roles: str, *workspaces: str) -> str:
    """One application for each of these workspaces, and the roles."""
    applications = [operator.toml.replace("carrier =", f'workspace = "{each}"\ncarrier =') for each in workspaces]
    return "".join(applications or [operator.toml]) + f"\n[roles]\n{roles}\n"


def about_roles(said: list[str]) -> list[str]:
    return [line for line in said if "[roles]" in line]


@pytest.mark.parametrize(
    ("roles", "right", "line"),
    [
        pytest.param(
            'admin = ["U0MEI"]\nsender = ["U0ANA", "S0MARKETING"]',
            True,
            "✓ [roles]: admin: U0MEI; sender: U0ANA, S0MARKETING. Everybody else may look.",
            id="right",
        ),
        pytest.param(
            'viewer = ["U0MEI"]', True, "✓ [roles]: viewer: U0MEI. Everybody else may do nothing.", id="closed"
        ),
        pytest.param(
            'sender = ["U0NOBODY"]', False, "✗ [roles]: U0NOBODY was not found: user_not_found in T0SANDBOX.", id="u"
        ),
        pytest.param(
            'sender = ["S0NOBODY"]', False, "✗ [roles]: S0NOBODY was not found: no_such_subteam in T0SANDBOX.", id="s"
        ),
    ],
)
async def test_slack_knows_whom_the_roles_name(operator: Operator, roles: str, right: bool, line: str) -> None:
    found, said = await operator.checks(f"{operator.toml}\n[roles]\n{roles}\n")
    assert line in said
    assert found is right


async def test_every_name_that_is_wrong_is_said(operator: Operator) -> None:
    right, said = await operator.checks(naming(operator, 'sender = ["U0NOBODY", "U0ANA"]\nadmin = ["S0NOBODY"]'))
    assert not right
    assert about_roles(said) == [
        "✗ [roles]: S0NOBODY was not found: no_such_subteam in T0SANDBOX.",
        "✗ [roles]: U0NOBODY was not found: user_not_found in T0SANDBOX.",
    ]


async def test_with_a_token_that_does_not_work_nobody_is_looked_up(operator: Operator) -> None:
    right, said = await operator.checks(naming(operator, 'sender = ["U0ANA"]'), SLACK_BOT_TOKEN="xoxb-wrong")
    assert not right
    assert about_roles(said) == ["! [roles]: nobody was looked up, because SLACK_BOT_TOKEN does not work."]


async def test_before_any_workspace_has_installed_the_app_it_says_that_nobody_was_looked_up(
    operator: Operator, tmp_path: Path
) -> None:
    toml = naming(operator, 'sender = ["S0MARKETING"]', HERE)
    right, said = await operator.checks(toml, **BY_INSTALLATION)
    nobody = "! [roles]: nobody was looked up: T0SANDBOX could not be asked"
    assert right
    assert about_roles(said) == [f"{nobody} (there is no database to look for its token in)."]
    assert not (tmp_path / "sms.db").exists()
    await install(tmp_path, ELSEWHERE)
    right, said = await operator.checks(toml, **BY_INSTALLATION)
    assert right
    assert about_roles(said) == [f"{nobody} (it has not installed the app)."]


async def test_user_groups_alone_are_looked_up_with_the_token_that_an_installation_brought(
    operator: Operator, tmp_path: Path
) -> None:
    await install(tmp_path, HERE)
    right, said = await operator.checks(naming(operator, 'sender = ["S0MARKETING"]', HERE), **BY_INSTALLATION)
    assert right
    assert about_roles(said) == ["✓ [roles]: sender: S0MARKETING. Everybody else may look."]
    right, said = await operator.checks(naming(operator, 'sender = ["S0NOBODY"]', HERE), **BY_INSTALLATION)
    assert not right
    assert about_roles(said) == ["✗ [roles]: S0NOBODY was not found: no_such_subteam in T0SANDBOX."]


@pytest.mark.parametrize("beside_a_token", [False, True])
async def test_whom_a_workspace_may_know_that_could_not_be_asked_is_said_to_be_open(
    operator: Operator, tmp_path: Path, beside_a_token: bool
) -> None:
    await install(tmp_path, HERE)
    toml = naming(operator, 'sender = ["S0MARKETING", "S0AUTUMN"]', HERE, ELSEWHERE)
    more = {"SLACK_BOT_TOKEN": BOT_TOKEN} if beside_a_token else {}
    right, said = await operator.checks(toml, **{**BY_INSTALLATION, **more})
    assert right
    assert about_roles(said) == [
        (
            "! [roles]: whether there is S0AUTUMN is not known: no_such_subteam in T0SANDBOX; T0AUTUMN could not "
            "be asked (it has not installed the app)."
        ),
        "✓ [roles]: sender: S0MARKETING. Everybody else may look.",
    ]


async def test_a_person_of_one_workspace_need_not_be_known_in_the_others(operator: Operator, tmp_path: Path) -> None:
    await install(tmp_path, HERE)
    await install(tmp_path, ELSEWHERE, token="xoxb-taken-back")
    toml = naming(operator, 'admin = ["U0MEI"]\nsender = ["S0NOBODY"]', HERE, ELSEWHERE)
    right, said = await operator.checks(toml, **BY_INSTALLATION)
    assert not right
    assert about_roles(said) == [
        "✗ [roles]: S0NOBODY was not found: invalid_auth in T0AUTUMN; no_such_subteam in T0SANDBOX."
    ]


async def test_a_token_that_cannot_be_read_is_said(operator: Operator, tmp_path: Path) -> None:
    await install(tmp_path, HERE, key=OTHER_KEY)
    right, said = await operator.checks(naming(operator, 'sender = ["S0MARKETING"]', HERE), **BY_INSTALLATION)
    assert right
    assert about_roles(said) == [
        (
            "! [roles]: nobody was looked up: T0SANDBOX could not be asked (its token was encrypted with a key that "
            "SLACK_TOKEN_KEYS does not hold)."
        )
    ]


async def test_a_token_that_has_ended_is_left_to_the_bot(operator: Operator, silent_slack: str, tmp_path: Path) -> None:
    await install(tmp_path, HERE)
    changes = {**BY_INSTALLATION, "SLACK_API_URL": silent_slack, "SLACK_APP_TOKEN": None, "SLACK_SIGNING_SECRET": "s"}
    right, said = await operator.checks(naming(operator, 'sender = ["S0MARKETING"]', HERE), **changes)
    assert right
    assert about_roles(said) == [
        (
            "! [roles]: whether there is S0MARKETING is not known: T0SANDBOX could not be asked (its token has "
            "to be exchanged first, which the bot does)."
        )
    ]


async def test_a_slack_that_does_not_answer_is_said_once_and_for_each_name(operator: Operator, tmp_path: Path) -> None:
    await install(tmp_path, HERE)
    changes = {**BY_INSTALLATION, "SLACK_API_URL": "http://127.0.0.1:9/api/"}
    right, said = await operator.checks(naming(operator, 'sender = ["S0MARKETING"]', HERE), **changes)
    assert not right
    (wrong,) = [line for line in said if line.startswith("✗")]
    assert wrong.startswith("✗ SLACK_API_URL: http://127.0.0.1:9/api/ does not answer: ")
    assert about_roles(said) == [
        "! [roles]: whether there is S0MARKETING is not known: T0SANDBOX could not be asked (Slack does not answer)."
    ]
