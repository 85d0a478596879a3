"""A code that no table lists is refused, kept as the carrier wrote it, and logged with what the carrier says of it; the
numbers in that are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.carriers.http import Http
from services.carriers.ports import Submission
from services.errors import RequestRefused
from tests.contract.proxy import Proxy
from tests.contract.stands import GOOD, HuaweiStand, KannelStand, Stand, TencentAbroadStand, TencentStand, TwilioStand

SAYS = f"The sky fell on +{GOOD[0]} and (415) 555-2671."
LOGGED = "The sky fell on +… and (…."


def each_number(wanted: str) -> Callable[[], object]:
    def answer() -> object:
        statuses = [{"PhoneNumber": f"+{number}", "Code": "New.Code", "Message": SAYS} for number in GOOD]
        return {"Response": {wanted: statuses}}

    return answer


def the_request() -> object:
    return {"Response": {"Error": {"Code": "New.Code", "Message": SAYS}}}


CASES: list[Any] = [
    pytest.param(TencentStand, each_number("SendStatusSet"), 200, False, id="tencent, each number"),
    pytest.param(TencentAbroadStand, each_number("SendMultiStatusSet"), 200, True, id="tencent abroad, each number"),
    pytest.param(TencentStand, the_request, 200, True, id="tencent, requests with equal values"),
    pytest.param(TwilioStand, lambda: {"code": 29999, "message": SAYS}, 400, False, id="twilio"),
]


@pytest.mark.parametrize(("made", "answer", "status", "has_values"), CASES)
async def test_it_is_refused_and_logged_with_its_text(
    http: Http, proxy: Proxy, made: type[Stand], answer: Callable[[], object], status: int, has_values: bool
) -> None:
    proxy.answer = (status, json.dumps(answer()).encode())
    found, logs = await submit(made(), http, proxy, has_values=has_values)
    assert [outcome.accepted for outcome in found.outcomes.values()] == [False] * len(GOOD)
    (code,) = {outcome.code for outcome in found.outcomes.values()}
    told = [line["codes"] for line in logs if line["event"] == "carrier.codes_unlisted"]
    assert told
    assert all(codes == {code: LOGGED} for codes in told)
    assert str(GOOD[0])[2:] not in str(logs)


async def test_huaweis_requests_of_several_are_logged_too(http: Http, proxy: Proxy) -> None:
    proxy.answer = (200, json.dumps({"code": "E999999", "description": SAYS}).encode())
    stand = HuaweiStand()
    stand.receipts_url = "http://127.0.0.1:9"
    values = {number: ("字" * 15_000 + str(number), "9") for number in GOOD}
    submission = Submission("42.7", GOOD, "csms100000001", "tpl-personal", "", values=values)
    with capture_logs() as logs:
        found = await stand.carrier(http, url=proxy.url).submit(submission)
    assert {outcome.code for outcome in found.outcomes.values()} == {"E999999"}
    assert [line["codes"] for line in logs] == [{"E999999": LOGGED}] * 3


async def test_what_a_carrier_says_of_a_whole_request_is_told_without_numbers(http: Http, proxy: Proxy) -> None:
    for stand, answer in (
        (TencentStand(), the_request()),
        (HuaweiStand(), {"code": "E999999", "description": SAYS}),
    ):
        proxy.answer = (200, json.dumps(answer).encode())
        stand.receipts_url = "http://127.0.0.1:9"  # type: ignore[union-attr]
        with pytest.raises(RequestRefused) as raised:
            await stand.carrier(http, url=proxy.url).submit(stand.submission(*GOOD))
        assert raised.value.reason == LOGGED


async def test_kannels_line_is_code_and_text_in_one(http: Http, proxy: Proxy) -> None:
    proxy.answer = (400, f"Something new about {GOOD[0]}, rejected".encode())
    found, logs = await submit(KannelStand(), http, proxy, has_values=False)
    assert {outcome.code for outcome in found.outcomes.values()} == {f"Something new about {GOOD[0]}, rejected"}
    assert [line["codes"] for line in logs] == [{"Something new about …, rejected": ""}] * len(found.outcomes)


async def submit(stand: Stand, http: Http, proxy: Proxy, *, has_values: bool) -> tuple[Any, list[Any]]:
    stand.receipts_url = "http://127.0.0.1:9"  # type: ignore[attr-defined]
    submission = stand.with_values(*GOOD) if has_values else stand.submission(*GOOD)
    with capture_logs() as logs:
        found = await stand.carrier(http, url=proxy.url).submit(submission)
    return found, list(logs)
