"""`check-config` against the stand-ins, right and wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.carriers.huawei import HuaweiSandbox
from sandbox.slack.server import SlackSandbox
from services.content import ApplicationDeclaration, Content
from services.database import Database
from services.states import Region
from tests.bot.checks import Operator
from tests.bot.settings import TEMPLATE, WHOLE, with_failover


async def test_what_is_right_is_said(operator: Operator, slack: SlackSandbox, carrier: HuaweiSandbox) -> None:
    right, said = await operator.checks(PUBLIC_URL="https://sms.example.com")
    assert right
    assert said == [
        "✓ Settings: 1 application read.",
        "✓ DATABASE_URL: a new SQLite database, made at the first start.",
        "✓ SLACK_BOT_TOKEN: sms in Yunfan Coffee (T0SANDBOX).",
        "✓ SLACK_APP_TOKEN: Socket Mode.",
        "! [roles]: nobody is named, so everybody may send, and any member but the author approves.",
        "✓ retention_days: who was written to is kept for ever.",
        "✓ default_region: a number without country code is of mainland China (CN).",
        (
            "✓ application promo-cn (huawei, mainland): its endpoint answers. Templates: spring. "
            "The credentials show with the first SMS."
        ),
        "✓ LOG_FORMAT, LOG_LEVEL: text on a terminal and JSON elsewhere, from info on.",
        (
            "✓ HTTP_HOST, HTTP_PORT: http://127.0.0.1:0/healthz, /readyz and /metrics are for probes and Prometheus, "
            "not for outside."
        ),
        "✓ PUBLIC_URL: carriers report to https://sms.example.com/receipts/…; that must lead to port 0 here.",
    ]
    assert carrier.log == []
    assert not slack.core.workspace.messages["C0MARKETING"]


async def test_nothing_is_made_by_looking(operator: Operator, tmp_path: Path) -> None:
    await operator.checks()
    assert not (tmp_path / "sms.db").exists()


async def test_a_database_that_is_there_is_opened(operator: Operator, tmp_path: Path) -> None:
    migrated = Database(f"sqlite:///{tmp_path / 'sms.db'}")
    migrated.migrate()
    migrated.close()
    _, said = await operator.checks()
    assert said[1] == "✓ DATABASE_URL: the database answers, and its schema is this version's."
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with empty.read():
        pass
    empty.close()
    _, said = await operator.checks(DATABASE_URL=f"sqlite:///{tmp_path / 'empty.db'}")
    assert said[1] == "✓ DATABASE_URL: an empty SQLite database, filled at the first start."


async def test_without_an_address_for_receipts_it_says_what_that_means(operator: Operator) -> None:
    right, said = await operator.checks()
    assert right
    assert said[-1] == "! PUBLIC_URL is not set: carriers cannot report, so delivery will stay unknown."


async def test_over_http_it_names_where_slacks_requests_go(operator: Operator) -> None:
    right, said = await operator.checks(SLACK_APP_TOKEN=None, SLACK_SIGNING_SECRET="s")
    assert right
    assert said[3] == "✓ SLACK_SIGNING_SECRET: Slack over HTTP; Slack's request address is /slack/events here."


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        pytest.param({"SLACK_BOT_TOKEN": None}, "✗ SLACK_BOT_TOKEN is missing", id="no token"),
        pytest.param(
            {"SLACK_BOT_TOKEN": "xoxb-wrong"}, "✗ SLACK_BOT_TOKEN: Slack refuses it: invalid_auth.", id="wrong token"
        ),
        pytest.param(
            {"SLACK_APP_TOKEN": "xapp-wrong"},
            "✗ SLACK_APP_TOKEN: Slack refuses it: invalid_auth.",
            id="wrong app token",
        ),
        pytest.param(
            {"SLACK_API_URL": "http://127.0.0.1:9/api/"},
            "✗ SLACK_API_URL: http://127.0.0.1:9/api/ does not answer:",
            id="no Slack there",
        ),
        pytest.param(
            {"DATABASE_URL": "sqlite:////nowhere/sms.db"},
            "✗ DATABASE_URL: /nowhere is not there or cannot be written to.",
            id="no folder",
        ),
        pytest.param(
            {"DATABASE_URL": "mysql://localhost/sms"}, "✗ DATABASE_URL: the database cannot be opened:", id="MySQL"
        ),
        pytest.param({"DATABASE_URL": "sms.db"}, "✗ DATABASE_URL: the database cannot be opened:", id="a file name"),
        pytest.param(
            {"DATABASE_URL": "postgresql://127.0.0.1:9/sms"},
            "✗ DATABASE_URL: the database cannot be opened:",
            id="no server",
        ),
        pytest.param(
            {"toml": WHOLE},
            "✗ application promo-cn (huawei, mainland): its endpoint http://127.0.0.1:9 does not answer:",
            id="no carrier",
        ),
    ],
)
async def test_what_is_wrong_is_one_line(operator: Operator, changes: dict[str, Any], finding: str) -> None:
    right, said = await operator.checks(**changes)
    assert not right
    (wrong,) = [line for line in said if line.startswith("✗")]
    assert wrong.startswith(finding)
    assert "\n" not in wrong


async def test_templates_may_be_added_in_slack_alone(operator: Operator) -> None:
    right, said = await operator.checks(operator.toml.removesuffix(TEMPLATE))
    assert right
    assert any("Templates: none here, so add them in Slack." in line for line in said)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(
            "We open at nine.",
            "✓ application promo-cn: its failover second can take over all of its templates.",
            id="the same",
        ),
        pytest.param(
            "We open at ten.",
            "! application promo-cn: its failover second cannot take over spring (its template has another text), "
            "unless Slack or its carrier has what these settings lack.",
            id="another text",
        ),
    ],
)
async def test_whether_the_failover_could_take_over_is_said(operator: Operator, text: str, line: str) -> None:
    right, said = await operator.checks(with_failover(operator.toml, text))
    assert right
    assert [each for each in said if "failover" in each] == [line]


TENCENT = """
[[application]]
name = "promo-cn"
carrier = "tencent"
region = "mainland"
endpoint = "ADDRESS"
secret_id = "AKID1"
secret_key = "demo-secret"
sdk_app_id = "1400006666"
[[application.signature]]
name = "Spring"
[[application.template]]
name = "spring"
code = "449739"
sms_type = "notification"
signature = "Spring"
text = "We open at nine."
"""


async def test_tencents_console_must_be_told_the_address_and_this_says_it(
    operator: Operator, carrier: HuaweiSandbox, tmp_path: Path
) -> None:
    toml = TENCENT.replace("ADDRESS", carrier.url)
    right, said = await operator.checks(toml, PUBLIC_URL="https://sms.example.com")
    assert right
    about = "! application promo-cn: Tencent's console must be told where to report"
    assert said[-1] == f"{about}: start the bot once, then this command says the address."
    database = Database(f"sqlite:///{tmp_path / 'sms.db'}")
    database.migrate()
    declared = [ApplicationDeclaration(name, "tencent", Region.MAINLAND) for name in ("another", "promo-cn")]
    known = Content(database).declare("T0SANDBOX", declared)["promo-cn"]
    database.close()
    _, said = await operator.checks(toml, PUBLIC_URL="https://sms.example.com")
    assert said[-1] == f"{about}: https://sms.example.com/receipts/{known.id}/{known.receipts_token}"
    replies = f"https://sms.example.com/replies/{known.id}/{known.receipts_token}"
    assert f"! application promo-cn: to hear what people reply, tell its carrier: {replies}" in said
    _, said = await operator.checks(toml)
    assert not any(line.startswith(about) for line in said), "without PUBLIC_URL there is no address"


async def test_the_retention_is_said(operator: Operator) -> None:
    toml = f"retention_days = 365\n{operator.toml}\n[workspace.T0SANDBOX]\nretention_days = 90\n"
    _, said = await operator.checks(toml)
    assert "✓ retention_days: who was written to is kept 365 days; in T0SANDBOX 90 days." in said


async def test_the_default_region_is_said(operator: Operator) -> None:
    toml = f'default_region = "HK"\n{operator.toml}\n[workspace.T0SANDBOX]\ndefault_region = "GB"\n'
    _, said = await operator.checks(toml)
    line = "a number without country code is of Hong Kong (HK); in T0SANDBOX of United Kingdom (GB)."
    assert f"✓ default_region: {line}" in said


async def test_a_schema_that_is_not_this_versions_is_said(operator: Operator, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'sms.db'}")
    database.migrate()
    for found, right, line in (
        ("0001", True, "✓ DATABASE_URL: a SQLite database of an older version, brought up to date at the next start."),
        ("9999", False, "✗ DATABASE_URL: this database was made by a newer version: its schema is 9999, and this "),
    ):
        with database.write(everyone=True) as tx:
            tx.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{found}'")
            tx.commit()
        works, said = await operator.checks()
        assert said[1].startswith(line)
        assert works is right
    database.close()


async def test_the_format_and_the_level_of_the_log_are_said(operator: Operator) -> None:
    _, said = await operator.checks(LOG_FORMAT="JSON", LOG_LEVEL="Warning")
    assert "✓ LOG_FORMAT, LOG_LEVEL: JSON, from warning on." in said
    right, said = await operator.checks(LOG_LEVEL="loud")
    assert not right
    assert said == ["✗ LOG_LEVEL in the environment is wrong: input should be 'debug', 'info', 'warning' or 'error'."]
