"""What an operator wrote: read, or one sentence that names the setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.application_settings import HuaweiSettings
from bot.bad_config import BadConfig
from bot.config import read_config, read_worker_config
from services.states import Region, SmsType
from tests.bot.settings import WHOLE, a_config, environment, over_http, sentence

INSTALLED = {
    "SLACK_BOT_TOKEN": None,
    "SLACK_CLIENT_ID": "1.2",
    "SLACK_CLIENT_SECRET": "secret",
    "SLACK_TOKEN_KEYS": Fernet.generate_key().decode(),
    "PUBLIC_URL": "https://sms.example.com",
}


def test_everything_is_read(tmp_path: Path) -> None:
    config = a_config(tmp_path, PUBLIC_URL="https://sms.example.com/", SLACK_API_URL="http://127.0.0.1:8000/api")
    assert config.slack.uses_socket_mode
    assert config.slack.api_url == "http://127.0.0.1:8000/api/"
    assert config.public_url == "https://sms.example.com"
    (application,) = config.applications
    assert isinstance(application, HuaweiSettings)
    assert (application.app_key, application.app_secret) == ("demo-key", "demo-secret")
    assert (application.region, application.requests_per_second) == (Region.MAINLAND, 50)
    assert application.template[0].sms_type is SmsType.NOTIFICATION


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    config = a_config(tmp_path, HTTP_PORT=None, DATABASE_URL=None, PUBLIC_URL="", HTTP_HOST="")
    assert (config.http_host, config.http_port, config.public_url) == ("127.0.0.1", 3000, None)
    assert (config.database_url, config.slack.api_url) == ("sqlite:///sms.db", "https://slack.com/api/")


def test_over_http_the_signing_secret_takes_the_place_of_the_app_token(tmp_path: Path) -> None:
    assert not read_config(over_http(tmp_path)).slack.uses_socket_mode


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"SLACK_BOT_TOKEN": None},
            "SLACK_BOT_TOKEN is missing in the environment: set it (docs/settings.md lists every setting).",
            id="no bot token",
        ),
        pytest.param(
            {"SLACK_BOT_TOKEN": ""},
            "SLACK_BOT_TOKEN is missing in the environment: set it (docs/settings.md lists every setting).",
            id="empty bot token",
        ),
        pytest.param(
            {"SLACK_CLIENT_ID": "1.2"},
            "SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and SLACK_TOKEN_KEYS go together: set all three or none.",
            id="a client id alone",
        ),
        pytest.param(
            {**INSTALLED, "PUBLIC_URL": None},
            "PUBLIC_URL is missing: with SLACK_CLIENT_ID, Slack leads whoever installs the app back there.",
            id="nowhere to come back to",
        ),
        pytest.param(
            {**INSTALLED, "SLACK_TOKEN_KEYS": "secret"},
            "SLACK_TOKEN_KEYS is wrong: each is a key that `python -m bot new-token-key` prints, with commas between.",
            id="a key that is none",
        ),
        pytest.param(
            {**INSTALLED, "SLACK_TOKEN_KEYS": " , "},
            "SLACK_TOKEN_KEYS is wrong: each is a key that `python -m bot new-token-key` prints, with commas between.",
            id="no key",
        ),
        pytest.param(
            {"SLACK_APP_TOKEN": None},
            "SLACK_APP_TOKEN is missing: set it for Socket Mode, or SLACK_SIGNING_SECRET for Slack over HTTP.",
            id="neither app token nor signing secret",
        ),
        pytest.param(
            {"SLACK_BOT_TOKEN": "xapp-1"},
            "SLACK_BOT_TOKEN is wrong: it starts with xoxb- (docs/slack.md says where to find it).",
            id="tokens swapped",
        ),
        pytest.param(
            {"SLACK_APP_TOKEN": "xoxb-1"},
            "SLACK_APP_TOKEN is wrong: it starts with xapp- (docs/slack.md says where to find it).",
            id="app token of another kind",
        ),
        pytest.param(
            {"SLACK_API_URL": "slack.com/api"},
            "SLACK_API_URL in the environment is wrong: must be an address such as https://sms.example.com.",
            id="api address without scheme",
        ),
        pytest.param(
            {"PUBLIC_URL": "sms.example.com"},
            "PUBLIC_URL in the environment is wrong: must be an address such as https://sms.example.com.",
            id="public address without scheme",
        ),
        pytest.param(
            {"HTTP_PORT": "http"},
            "HTTP_PORT in the environment is wrong: input should be a valid integer, unable to parse string as an "
            "integer.",
            id="port that is no number",
        ),
        pytest.param(
            {"HTTP_PORT": "65536"},
            "HTTP_PORT in the environment is wrong: input should be less than or equal to 65535.",
            id="port too high",
        ),
        pytest.param(
            {"SMS_APPLICATIONS": "nowhere.toml"},
            "SMS_APPLICATIONS is nowhere.toml, which is not there: write it as docs/settings.md shows.",
            id="no applications file",
        ),
        pytest.param(
            {"HUAWEI_APP_SECRET": None},
            "applications.toml, application promo-cn: app_secret is env:HUAWEI_APP_SECRET, and the environment has no "
            "HUAWEI_APP_SECRET: set it.",
            id="a secret that is not in the environment",
        ),
    ],
)
def test_a_wrong_variable_is_one_sentence_that_names_it(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    assert sentence(tmp_path, **changes) == said


def test_how_long_to_wait_for_a_carrier_can_be_set(tmp_path: Path) -> None:
    assert (a_config(tmp_path).carrier_connect_seconds, a_config(tmp_path).carrier_read_seconds) == (5, 10)
    config = a_config(tmp_path, CARRIER_CONNECT_SECONDS="2.5", CARRIER_READ_SECONDS="30")
    assert (config.carrier_connect_seconds, config.carrier_read_seconds) == (2.5, 30)
    with pytest.raises(BadConfig, match="CARRIER_READ_SECONDS"):
        a_config(tmp_path, CARRIER_READ_SECONDS="0")


def test_where_workspaces_install_the_app_it_needs_no_token(tmp_path: Path) -> None:
    toml = WHOLE.replace('name = "promo-cn"', 'name = "promo-cn"\nworkspace = "T0SPRING"')
    config = a_config(tmp_path, toml, **INSTALLED)
    assert config.slack.bot_token is None
    assert config.slack.oauth is not None
    assert config.slack.oauth.client_id == "1.2"
    assert "secret" not in repr(config.slack.oauth.token_keys)


def test_where_workspaces_install_the_app_each_application_names_its_own(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as raised:
        a_config(tmp_path, WHOLE, **INSTALLED)
    assert str(raised.value) == (
        f"workspace is missing in {tmp_path / 'applications.toml'}, application promo-cn: with SLACK_CLIENT_ID each "
        "application says which workspace it belongs to."
    )


OF_SLACK = ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")


def test_a_worker_reads_nothing_of_slacks(tmp_path: Path) -> None:
    whole = environment(tmp_path, PUBLIC_URL="https://sms.example.com")
    without = {name: value for name, value in whole.items() if name not in OF_SLACK}
    wrong = dict.fromkeys(OF_SLACK, "wrong") | {"SLACK_CLIENT_ID": "1.2", "SLACK_API_URL": "slack.com/api"}
    assert read_worker_config(without) == read_worker_config(whole) == read_worker_config(whole | wrong)
    assert read_worker_config(without).applications == read_config(whole).applications


def test_what_a_worker_does_read_is_one_sentence_where_it_is_wrong(tmp_path: Path) -> None:
    for toml, changes, said in (
        (WHOLE, {"HTTP_PORT": "65536"}, "HTTP_PORT in the environment is wrong: "),
        (WHOLE.replace('carrier = "huawei"\n', ""), {}, "carrier is missing in "),
    ):
        with pytest.raises(BadConfig) as raised:
            read_worker_config(environment(tmp_path, toml, SLACK_BOT_TOKEN=None, SLACK_APP_TOKEN=None, **changes))
        assert str(raised.value).startswith(said)
