"""`services/carriers/huawei_auth.py` against the published vectors, and against what somebody else could send."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from yarl import URL

from services.carriers.http import Http
from services.carriers.huawei import Huawei
from services.carriers.huawei_auth import is_signed, sign, signed_headers, wsse_headers
from services.carriers.ports import ForeignReceipts, ReceiptsRequest

KEY, SECRET = "c8RWg3ggEcyd4D3p94bf3Y7x1Ile", "q4Ii87BhST9vcs8wvrzN80SfD7Al"
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
URL_CALLED = "https://sms.example.com/receipts/7/token"
# Published, with the address of the callback made up.
REPORT = (
    b"sequence=1&total=1&orgCode=000&updateTime=2018-04-13T06%3A31%3A46Z&source=2"
    b"&smsMsgId=b9d9b4fe-ad0e-4a2a-a2c7-445505b674ac_6&status=DELIVRD"
)


class At:
    def now(self) -> datetime:
        return NOON


async def at_once() -> None:
    """No rate to keep."""


def test_the_signature_the_vendors_sdk_puts_on_json_is_reproduced() -> None:
    body = json.dumps(
        {
            "from": "csms100000001",
            "statusCallback": "https://cb.example.com/hw",
            "smsContent": [
                {
                    "to": ["+8613112345678"],
                    "templateId": "8ff55eac1d0b478ab3c06c3c6a492300",
                    "templateParas": ["3", "A"],
                    "signature": "华为云短信测试",
                }
            ],
            "extend": "task-1",
        }
    ).encode()
    date = "20261121T235932Z"
    headers = {
        "content-type": "application/json",
        "host": "127.0.0.1:13978",
        "user-agent": "huaweicloud-usdk-python/3.0; os/Linux##1_SMP_PREEMPT_DYNAMIC_@0#x86_64 python/3.11.7 "
        "impl/CPython; app/2093fbf4-6767-4430-9132-b1d210c4844e",
        "x-sdk-date": date,
    }
    hashed = hashlib.sha256(body).hexdigest()
    signature = sign(SECRET, "POST", "/sms/batchSendDiffSms/v1", "", headers, hashed, date)
    assert signature == "0bf58b2fca33b66994676f7e8f9d1836075ba2a361f2a2837931d1ce8a240ff8"


@pytest.mark.parametrize(
    ("digest", "encoded"),
    [
        ("hex", "NjAxYzg5N2I5NjQ2ZWQ0MTQ5YmVhOWIxNmQzYjNiYmQ1ZmE0NmE2ZDk2YzM1ZTI1ZTRmYmM2MjhmMjdjMDFiNQ=="),
        ("raw", "YByJe5ZG7UFJvqmxbTs7vV+kam2Ww14l5PvGKPJ8AbU="),
    ],
)
def test_both_forms_of_wsse_are_reproduced(digest: Any, encoded: str) -> None:
    at = datetime(2026, 10, 5, tzinfo=UTC)
    assert wsse_headers("AKTEST", "SECRET1", "noncenonce", at, digest) == {
        "Authorization": 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"',
        "X-WSSE": f'UsernameToken Username="AKTEST",PasswordDigest="{encoded}",Nonce="noncenonce",'
        'Created="2026-10-05T00:00:00Z"',
    }


def test_the_published_wsse_header_is_of_the_first_form() -> None:
    published = "NDA1MWIwNjI2ZTkyNWFlM2FhMTE5NDE1YTk5NjU1YWE4NjNlZTY1MmRhYzkxZGViNzczZjdjMjkzZWQ4ZjAwNA=="
    ours = wsse_headers("k", "s", "ac1c911c4792492687f8f6b2264a491e", NOON, "hex")["X-WSSE"].split('"')[3]
    for digest in (published, ours):
        assert set(base64.b64decode(digest)) <= set(b"0123456789abcdef")
        assert (len(digest), len(base64.b64decode(digest))) == (88, 64)


def pushed(
    headers: Mapping[str, str] | None = None, *, url: str = URL_CALLED, at: datetime = NOON, body: bytes = REPORT
) -> ReceiptsRequest:
    """A callback as Huawei would sign it."""
    signed = signed_headers(KEY, SECRET, "POST", URL(url), {"X-Extra": "1", **(headers or {})}, body, at)
    return ReceiptsRequest("POST", {name.lower(): value for name, value in signed.items()}, {}, body, url)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(pushed(), id="as it is"),
        pytest.param(pushed(url="https://sms.example.com:8443/receipts/7/token?b=2&a=1"), id="a port and a query"),
        pytest.param(pushed({"Content-Type": "application/x-www-form-urlencoded"}), id="the form itself not signed"),
        pytest.param(pushed(at=NOON - timedelta(minutes=14)), id="14 minutes ago"),
    ],
)
def test_what_huawei_signed_is_believed(request_: ReceiptsRequest) -> None:
    query = request_.url.partition("?")[2]
    if query:
        # Huawei signs the query in order.
        request_ = pushed(url=request_.url.replace(query, "a=1&b=2"))
    assert is_signed(KEY, SECRET, request_, NOON)


def changed(**headers: str | None) -> ReceiptsRequest:
    request = pushed()
    kept = {**request.headers, **headers}
    return replace(request, headers={name: value for name, value in kept.items() if value is not None})


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(replace(pushed(), body=REPORT + b"&x=1"), id="another body"),
        pytest.param(replace(pushed(), url=URL_CALLED + "x"), id="another address"),
        pytest.param(replace(pushed(), method="PUT"), id="another method"),
        pytest.param(replace(pushed(), headers={}), id="no signature"),
        pytest.param(changed(authorization="SDK-HMAC-SHA256 Access=x"), id="half a signature"),
        pytest.param(
            changed(authorization=pushed().headers["authorization"].replace(KEY, "other")), id="another's key"
        ),
        pytest.param(
            changed(authorization=pushed().headers["authorization"].replace(";x-sdk-date", "")), id="the date unsigned"
        ),
        pytest.param(
            changed(authorization=pushed().headers["authorization"].replace("host;", "host;more;")),
            id="a header that is not there",
        ),
        pytest.param(changed(**{"x-sdk-date": "20261121T120001Z"}), id="another date"),
        pytest.param(changed(**{"x-sdk-date": None}), id="no date"),
        pytest.param(changed(**{"x-sdk-date": "yesterday"}), id="a date that is none"),
        pytest.param(changed(**{"x-extra": "2"}), id="a signed header changed"),
        pytest.param(pushed(at=NOON - timedelta(minutes=16)), id="an old one sent again"),
        pytest.param(pushed(at=NOON + timedelta(minutes=16)), id="from the future"),
        pytest.param(pushed({"X-Sdk-Content-Sha256": "0" * 64}), id="another body's hash"),
    ],
)
def test_nothing_else_is_believed(request_: ReceiptsRequest) -> None:
    assert not is_signed(KEY, SECRET, request_, NOON)


def huawei(*, callback_signed: bool) -> Huawei:
    return Huawei(
        app_key=KEY, app_secret=SECRET, http=Http(), clock=At(), pace=at_once, callback_signed=callback_signed
    )


def test_reports_need_a_signature_only_where_the_settings_say_so() -> None:
    for callback_signed in (True, False):
        (receipt,) = huawei(callback_signed=callback_signed).read_receipts(pushed())
        assert receipt.status == "delivered"
    unsigned = replace(pushed(), headers={})
    assert huawei(callback_signed=False).read_receipts(unsigned)
    with pytest.raises(ForeignReceipts):
        huawei(callback_signed=True).read_receipts(unsigned)
