"""How many numbers a request takes, which the finish that a preview expects hangs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.applications_file import ApplicationsFile
from bot.carriers import make_carrier, numbers_per_request
from services.carriers.http import Http
from services.carriers.ports import Limits
from services.clock import SystemClock

HUAWEI = 'carrier = "huawei"\nendpoint = "http://127.0.0.1:9"\napp_key = "k"\napp_secret = "s"'
TENCENT = 'carrier = "tencent"\nsecret_id = "i"\nsecret_key = "s"\nsdk_app_id = "1400000000"'
TWILIO = 'carrier = "twilio"\naccount_sid = "AC00000000000000000000000000000001"\nauth_token = "t"\nfrom = "+15550100"'
KANNEL = 'carrier = "kannel"\nurl = "http://127.0.0.1:9/cgi-bin/sendsms"\nusername = "u"\npassword = "p"'


async def at_once() -> None:
    """No rate to keep."""


@pytest.mark.parametrize(
    ("carrier", "region", "plain", "with_values"),
    [
        pytest.param(HUAWEI, "mainland", 500, 500, id="huawei"),
        pytest.param(TENCENT, "mainland", 200, 1, id="tencent on the mainland, a request for each set of values"),
        pytest.param(TENCENT, "international", 200, 200, id="tencent abroad"),
        pytest.param(TWILIO, "international", 1, 1, id="twilio"),
        pytest.param(KANNEL, "international", 1, 1, id="kannel"),
    ],
)
async def test_a_request_takes_as_many_numbers_as_the_carrier_does(
    tmp_path: Path, carrier: str, region: str, plain: int, with_values: int
) -> None:
    (tmp_path / "applications.toml").write_text(f'[[application]]\nname = "a"\nregion = "{region}"\n{carrier}\n')
    (settings,) = ApplicationsFile(tmp_path / "applications.toml", {}).applications()
    connected = make_carrier(settings, Http(), SystemClock(), at_once)
    batch = Limits(connected.max_numbers, connected.max_numbers_with_values)
    assert numbers_per_request(settings, batch) == Limits(plain, with_values)
    await connected.close()


async def test_a_request_takes_no_more_than_a_batch_that_must_fit_elsewhere_too(tmp_path: Path) -> None:
    (tmp_path / "applications.toml").write_text(f'[[application]]\nname = "a"\nregion = "mainland"\n{HUAWEI}\n')
    (settings,) = ApplicationsFile(tmp_path / "applications.toml", {}).applications()
    assert numbers_per_request(settings, Limits(200, 50)) == Limits(200, 50)
