"""What an operator wrote into applications.toml: read, or one sentence that names the key."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bot.application_settings import KannelSettings, TencentSettings, TwilioSettings
from bot.applications_file import RetentionSettings
from bot.bad_config import BadConfig
from services.default_regions import DefaultRegions
from tests.bot.settings import APPLICATION, SIGNATURE, TEMPLATE, WHOLE, a_config, sentence


@pytest.mark.parametrize(
    ("above", "below", "days", "own"),
    [
        ("", "", None, {}),
        ("retention_days = 365\n", "", 365, {}),
        ("", "[workspace.T0SPRING]\nretention_days = 90\n", None, {"T0SPRING": 90}),
        ("retention_days = 4\n", "[workspace.T0A]\nretention_days = 30\n[workspace.T0B]\n", 4, {"T0A": 30}),
    ],
)
def test_each_workspace_may_have_a_retention_of_its_own(
    tmp_path: Path, above: str, below: str, days: int | None, own: dict[str, int]
) -> None:
    assert a_config(tmp_path, f"{above}{WHOLE}\n{below}").retention == RetentionSettings(days, own)


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [
        ("", "", DefaultRegions("CN")),
        ('default_region = "HK"\n', "", DefaultRegions("HK")),
        ("", '[workspace.T0A]\ndefault_region = "GB"\n', DefaultRegions("CN", {"T0A": "GB"})),
        ("", "[workspace.T0A]\nretention_days = 90\n", DefaultRegions("CN")),
    ],
)
def test_each_workspace_may_have_a_default_region_of_its_own(
    tmp_path: Path, above: str, below: str, expected: DefaultRegions
) -> None:
    assert a_config(tmp_path, f"{above}{WHOLE}\n{below}").default_regions == expected


HERE = "applications.toml, application promo-cn"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        pytest.param(
            "", "applications.toml holds no [[application]]: write one as docs/settings.md shows.", id="empty"
        ),
        pytest.param(
            "[application]\nname = 'x'",
            "applications.toml holds no [[application]]: write one as docs/settings.md shows.",
            id="one pair of brackets",
        ),
        pytest.param(
            "application = ['x']",
            "applications.toml holds no [[application]]: write one as docs/settings.md shows.",
            id="not a table",
        ),
        pytest.param(
            WHOLE + "\n[[aplication]]",
            "aplication in applications.toml is no setting: only [[application]] tables, [roles], "
            "[workspace.T…], retention_days and default_region stand there.",
            id="a misspelled table",
        ),
        pytest.param(
            WHOLE.replace('carrier = "huawei"', 'carrier = "hauwei"'),
            f"carrier in {HERE} is wrong: it is one of huawei, tencent, twilio, kannel.",
            id="unknown carrier",
        ),
        pytest.param(
            WHOLE.replace('carrier = "huawei"\n', ""),
            f"carrier is missing in {HERE}: set it (docs/settings.md lists every setting).",
            id="no carrier",
        ),
        pytest.param(
            WHOLE.replace('region = "mainland"\n', ""),
            f"region is missing in {HERE}: set it (docs/settings.md lists every setting).",
            id="missing key",
        ),
        pytest.param(
            WHOLE.replace("region =", "reigon ="),
            f"region is missing in {HERE}: set it (docs/settings.md lists every setting).",
            id="misspelled required key",
        ),
        pytest.param(
            APPLICATION + "rps = 5\n" + SIGNATURE,
            f"rps in {HERE} is no setting: remove it, or correct its spelling (docs/settings.md lists them).",
            id="unknown key",
        ),
        pytest.param(
            APPLICATION.replace('"promo-cn"', '""'),
            "name in applications.toml, application 1 is wrong: string should have at least 1 character.",
            id="no name",
        ),
        pytest.param(
            WHOLE.replace('"http://127.0.0.1:9"', '"127.0.0.1:9"'),
            f"endpoint in {HERE} is wrong: must be an address such as https://sms.example.com.",
            id="endpoint without scheme",
        ),
        pytest.param(
            WHOLE.replace('"notification"', '"marketing"'),
            f"template.0.sms_type in {HERE} is wrong: input should be 'promotional', 'notification' or 'verification'.",
            id="unknown SMS type",
        ),
        pytest.param(
            WHOLE.replace('signature = "Spring"', 'signature = "Autumn"'),
            f"{HERE} is wrong: template spring names the signature Autumn, which is not there.",
            id="a signature that is not there",
        ),
        pytest.param(
            APPLICATION + TEMPLATE.replace('signature = "Spring"\n', ""),
            f"{HERE} is wrong: a mainland application needs an [[application.signature]].",
            id="mainland without a signature",
        ),
        pytest.param(
            WHOLE + TEMPLATE.replace('"spring"', '"Spring"'),
            f"{HERE} is wrong: it has two templates named spring, and each needs its own name.",
            id="two templates of one name in any case",
        ),
        pytest.param(
            APPLICATION + SIGNATURE + SIGNATURE,
            f"{HERE} is wrong: it has two signatures named Spring, and each needs its own name.",
            id="two signatures of one name",
        ),
        pytest.param(
            APPLICATION + 'price_per_segment = "0.045"\n',
            f"{HERE} is wrong: price_per_segment and currency go together: give both or neither.",
            id="a price of no currency",
        ),
        pytest.param(
            APPLICATION + 'price_per_segment = "0,045"\ncurrency = "CNY"\n',
            f"price_per_segment in {HERE} is wrong: input should be a valid decimal.",
            id="a price with a comma",
        ),
        pytest.param(
            APPLICATION + "requests_per_second = 0\n",
            f"requests_per_second in {HERE} is wrong: input should be greater than 0.",
            id="no requests at all",
        ),
        pytest.param(
            WHOLE + WHOLE,
            "applications.toml has two applications named promo-cn: give each its own name.",
            id="two applications of one name",
        ),
        pytest.param(
            WHOLE + WHOLE.replace("carrier =", 'workspace = "T1"\ncarrier ='),
            "applications.toml has two applications named promo-cn: give each its own name.",
            id="one of any workspace, one of this",
        ),
        pytest.param(
            APPLICATION + 'failover = "other"\n',
            f"failover in {HERE} is wrong: there is no other application named other.",
            id="failover to nowhere",
        ),
        pytest.param(
            APPLICATION + 'failover = "promo-cn"\n',
            f"failover in {HERE} is wrong: there is no other application named promo-cn.",
            id="failover to itself",
        ),
        pytest.param(
            APPLICATION
            + 'failover = "abroad"\n'
            + APPLICATION.replace("promo-cn", "abroad").replace("mainland", "international"),
            f"failover in {HERE} is wrong: abroad sends to another region.",
            id="failover to another region",
        ),
        pytest.param("[[application]", "applications.toml cannot be read: ", id="not toml"),
        pytest.param(
            WHOLE + '[roles]\nsender = ["ana"]',
            "sender in applications.toml, roles is wrong: ana is no Slack id: a person's is like U0ANA, a user group's "
            "like S0MANAGERS.",
            id="a name for an id",
        ),
        pytest.param(
            WHOLE + '[roles]\nsenders = ["U0ANA"]',
            "senders in applications.toml, roles is no setting: remove it, or correct its spelling",
            id="no such role",
        ),
        pytest.param(
            "retention_days = 3\n" + WHOLE,
            "retention_days in applications.toml is wrong: input should be greater than or equal to 4.",
            id="a retention shorter than receipts come",
        ),
        pytest.param(
            "retention_days = 7\n" + APPLICATION + "receipt_window_hours = 240\n" + SIGNATURE + TEMPLATE,
            "retention_days in applications.toml is wrong: what is deleted after 7 days cannot be reported any more, "
            "and receipt_window_hours of application promo-cn is 240: keep it longer.",
            id="a retention shorter than an application's receipts come",
        ),
        *(
            pytest.param(
                f'default_region = "{wrong}"\n' + WHOLE,
                f"default_region in applications.toml is wrong: no country is called {wrong}: write two capital "
                "letters, such as HK or GB.",
                id=f"the region {wrong}",
            )
            for wrong in ("UK", "hk", "852", "Hong Kong", "ZZ")
        ),
        pytest.param(
            WHOLE + '[workspace.T0SPRING]\nretention_days = "90 days"',
            "workspace.T0SPRING.retention_days in applications.toml is wrong: input should be a valid integer, unable "
            "to parse string as an integer.",
            id="a retention in words",
        ),
        pytest.param(
            WHOLE + "[workspace.spring]\nretention_days = 90",
            "workspace in applications.toml is wrong: spring is no Slack team: write it as [workspace.T0123ABCD].",
            id="a workspace by its name",
        ),
        pytest.param(
            WHOLE + "[workspace.T0SPRING]\nretention = 90",
            "workspace.T0SPRING.retention in applications.toml is no setting: remove it, or correct its spelling",
            id="a setting of a workspace that is none",
        ),
        pytest.param(
            WHOLE + "[[roles]]\n",
            "roles in applications.toml is wrong: write it as one table, [roles].",
            id="roles in two pairs of brackets",
        ),
    ],
)
def test_a_wrong_application_is_one_sentence_that_names_the_key(toml: str, said: str, tmp_path: Path) -> None:
    found = sentence(tmp_path, toml)
    assert found.startswith(said)
    assert "\n" not in found
    assert found.endswith(".")
    assert "demo-secret" not in found


TENCENT = """
[[application]]
name = "promo-cn"
carrier = "tencent"
region = "mainland"
secret_id = "AKID1"
secret_key = "demo-secret"
sdk_app_id = "1400006666"
[[application.signature]]
name = "Spring"
"""
TWILIO = f"""
[[application]]
name = "promo-cn"
carrier = "twilio"
region = "international"
account_sid = "AC{"0" * 32}"
auth_token = "demo-secret"
from = "+15005550006"
"""
KANNEL = """
[[application]]
name = "promo-cn"
carrier = "kannel"
region = "international"
username = "user"
password = "demo-secret"
from = "10690000"
"""
FREE_TEMPLATE = TEMPLATE.replace('code = "8ff55eac1d0b478ab3c06c3c6a492300"\n', "").replace(
    'signature = "Spring"\n', ""
)


def test_each_carrier_has_settings_of_its_own(tmp_path: Path) -> None:
    tencent, twilio, kannel = (
        a_config(tmp_path, toml).applications[0]
        for toml in (TENCENT + TEMPLATE, TWILIO + FREE_TEMPLATE, KANNEL + FREE_TEMPLATE)
    )
    assert isinstance(tencent, TencentSettings)
    assert (tencent.endpoint, tencent.cloud_region) == ("https://sms.tencentcloudapi.com", "ap-guangzhou")
    assert tencent.signature[0].sender == "Spring"
    assert isinstance(twilio, TwilioSettings)
    assert (twilio.from_, twilio.messaging_service_sid) == ("+15005550006", None)
    assert isinstance(kannel, KannelSettings)
    assert (kannel.endpoint, kannel.from_) == ("http://127.0.0.1:13013/cgi-bin/sendsms", "10690000")
    assert (kannel.max_messages, kannel.smsc) == (1, None)
    assert [each.template[0].code for each in (twilio, kannel)] == ["", ""]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        pytest.param(
            TENCENT.replace('sdk_app_id = "1400006666"\n', ""),
            f"sdk_app_id is missing in {HERE}: set it (docs/settings.md lists every setting).",
            id="tencent, missing",
        ),
        pytest.param(
            TENCENT + 'channel = "csms1"\n',
            f"signature.0.channel in {HERE} is no setting: remove it, or correct its spelling "
            "(docs/settings.md lists them).",
            id="tencent knows no channels",
        ),
        pytest.param(
            TWILIO.replace('from = "+15005550006"\n', ""),
            f"{HERE} is wrong: it needs one of from and messaging_service_sid.",
            id="twilio, no sender",
        ),
        pytest.param(
            TWILIO + 'messaging_service_sid = "MG1"\n',
            f"{HERE} is wrong: it needs one of from and messaging_service_sid.",
            id="twilio, two senders",
        ),
        pytest.param(
            TWILIO.replace("AC000", "SK000"),
            f"account_sid in {HERE} is wrong: must be AC and 32 hexadecimal digits, as Twilio's console shows it.",
            id="twilio, another SID",
        ),
        pytest.param(
            KANNEL + 'url = "127.0.0.1:13013"\n',
            f"url in {HERE} is wrong: must be an address such as https://sms.example.com.",
            id="kannel, no address",
        ),
        pytest.param(
            KANNEL + "max_messages = 0\n",
            f"max_messages in {HERE} is wrong: input should be greater than or equal to 1.",
            id="kannel, no message",
        ),
        pytest.param(
            KANNEL + 'app_key = "env:HUAWEI_APP_KEY"\n',
            f"app_key in {HERE} is no setting: remove it, or correct its spelling (docs/settings.md lists them).",
            id="another carrier's key",
        ),
    ],
)
def test_a_wrong_setting_of_one_carrier_is_one_sentence_too(toml: str, said: str, tmp_path: Path) -> None:
    found = sentence(tmp_path, toml)
    assert found == said
    assert "demo-secret" not in found


def test_two_workspaces_may_name_their_applications_alike(tmp_path: Path) -> None:
    of_one = WHOLE.replace("carrier =", 'workspace = "T1"\ncarrier =')
    of_other = WHOLE.replace("carrier =", 'workspace = "T2"\ncarrier =')
    assert len(a_config(tmp_path, of_one + of_other).applications) == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert sentence(tmp_path, SMS_APPLICATIONS=str(tmp_path)).startswith(f"{tmp_path} cannot be read: ")


def test_huaweis_management_needs_its_whole_key(tmp_path: Path) -> None:
    whole = 'project_id = "p"\naccess_key = "a"\nsecret_key = "s"\n'
    a_config(tmp_path, WHOLE.replace("[[application.signature]]", whole + "[[application.signature]]", 1))
    for line in whole.splitlines():
        half = whole.replace(line + "\n", "")
        with pytest.raises(BadConfig, match="project_id, access_key and secret_key go together"):
            a_config(tmp_path, WHOLE.replace("[[application.signature]]", half + "[[application.signature]]", 1))


@pytest.mark.parametrize("written", ['"0.045"', "0.045"])
def test_a_price_is_exact(written: str, tmp_path: Path) -> None:
    priced = WHOLE.replace(APPLICATION, APPLICATION + f'price_per_segment = {written}\ncurrency = "CNY"\n')
    (application,) = a_config(tmp_path, priced).applications
    assert (application.price_per_segment, application.currency) == (Decimal("0.045"), "CNY")
