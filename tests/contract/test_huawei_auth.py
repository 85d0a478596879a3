"""Huawei's other ways to prove who calls: WSSE for requests, and signed callbacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sandbox.carriers.huawei import HuaweiSandbox
from services.carriers.http import Http
from services.carriers.huawei import Huawei
from services.carriers.ports import ForeignReceipts
from services.errors import RequestRefused
from tests.contract.callback import Callback
from tests.contract.stands import GOOD, HuaweiStand, Noon, at_once, sent_by_http


def huawei(stand: HuaweiStand, http: Http, **settings: Any) -> Huawei:
    known = {"app_key": "key-1", "app_secret": "secret-1"}
    return Huawei(**(known | settings), http=http, clock=Noon(), pace=at_once, endpoint=stand.sandbox.url)


@pytest.mark.parametrize(
    ("digest", "encoded"),
    [
        ("hex", "MzUxMDAzNmU2MDdjZjIyMzdiZGVlNzU3MjEzMmNjYjE2YzE2NWE4MDc3N2ZjZjYyZTA2MDEyMTU0YmJjOGFkNQ=="),
        ("raw", "NRADbmB88iN73udXITLMsWwWWoB3f89i4GASFUu8itU="),
    ],
)
async def test_requests_bear_wsse_where_the_settings_say_so(
    http: Http, callback: Callback, digest: str, encoded: str
) -> None:
    stand = HuaweiStand()
    await stand.start(callback.url)
    carrier = huawei(stand, http, auth="wsse", wsse_digest=digest, make_nonce=lambda: "66C92B11FF8A425F")
    for submission in (stand.submission(*GOOD), stand.with_values(*GOOD)):
        answer = await carrier.submit(submission)
        assert all(outcome.accepted for outcome in answer.outcomes.values())
    for request in stand.sandbox.requests:
        assert dict(request.headers) == {
            "host": stand.sandbox.url.removeprefix("http://"),
            "content-type": request.headers["content-type"],
            "authorization": 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"',
            "x-wsse": f'UsernameToken Username="key-1",PasswordDigest="{encoded}",Nonce="66C92B11FF8A425F",'
            'Created="2026-11-21T12:00:00Z"',
            **sent_by_http(request),
        }
    await stand.sandbox.stop()


async def test_every_request_has_a_nonce_of_its_own(http: Http, callback: Callback) -> None:
    stand = HuaweiStand()
    await stand.start(callback.url)
    carrier = huawei(stand, http, auth="wsse")
    for number in GOOD:
        await carrier.submit(stand.submission(number))
    nonces = {request.headers["x-wsse"].split("Nonce=")[1] for request in stand.sandbox.requests}
    assert len(nonces) == 3
    with pytest.raises(RequestRefused, match="E000105"):
        await huawei(stand, http, auth="wsse", app_secret="wrong").submit(stand.submission(*GOOD))
    await stand.sandbox.stop()


async def test_signed_reports_are_read_and_unsigned_ones_turned_away(http: Http, callback: Callback) -> None:
    stand = HuaweiStand()
    stand.sandbox = HuaweiSandbox(
        app_key="key-1", app_secret="secret-1", signs_callbacks=True, receipt_delay=(0.0, 0.0), now=Noon().now
    )
    await stand.start(callback.url)
    carrier = huawei(stand, http, callback_signed=True)
    await carrier.submit(stand.submission(GOOD[0]))
    request = await callback.next()
    assert [(receipt.number, receipt.status) for receipt in carrier.read_receipts(request)] == [(GOOD[0], "delivered")]
    for forged in (
        replace(request, headers={}),
        replace(request, body=request.body.replace(b"DELIVRD", b"UNDELIV")),
        replace(request, url=request.url + "x"),
    ):
        with pytest.raises(ForeignReceipts):
            carrier.read_receipts(forged)
    await stand.sandbox.stop()
