"""Each carrier with its stand-in, as the contract sees them. A new carrier is a new `Stand` in STANDS."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl

from sandbox.carriers.huawei import HuaweiSandbox
from sandbox.carriers.kannel import KannelSandbox
from sandbox.carriers.server import CarrierSandbox
from sandbox.carriers.server import Request as Sent
from sandbox.carriers.tencent import TencentSandbox
from sandbox.carriers.twilio import TwilioSandbox
from services.carriers.http import Http
from services.carriers.huawei import Huawei
from services.carriers.kannel import Kannel
from services.carriers.ports import Carrier, Submission
from services.carriers.tencent import Tencent
from services.carriers.twilio import Twilio

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
GOOD = (8613811112222, 8613911113333, 8615011114444)
REFERENCE = "42.7"
SENT_BY_HTTP = {"user-agent": "slack-bulk-sms", "accept": "*/*"}


class Noon:
    def now(self) -> datetime:
        return NOON


async def at_once() -> None:
    """No rate to keep."""


def names(numbers: Sequence[int]) -> dict[int, str]:
    """A name for each number; the first and the last have the same."""
    called = {number: f"客户{place}" for place, number in enumerate(numbers)}
    return called | {numbers[-1]: called[numbers[0]]} if len(numbers) > 2 else called


class Stand(Protocol):
    """One carrier and its stand-in. `refused_number` is one the carrier refuses among good ones; `requests_each` says
    that every number has a request of its own; `slow_down_seconds` is what its own "slow down" asks for."""

    refused_number: int
    good: Sequence[int]
    requests_each: bool
    gives_ids: bool
    counts_segments: bool
    tells_time: bool

    @property
    def sandbox(self) -> CarrierSandbox: ...
    async def start(self, receipts_url: str) -> None: ...
    def carrier(self, http: Http, *, url: str | None = None, secret: str | None = None) -> Carrier: ...
    def submission(self, *numbers: int) -> Submission: ...
    def refused_for_all(self, *numbers: int) -> Submission: ...
    def with_values(self, *numbers: int) -> Submission:
        """Every number has values of its own, but for the first and the last, whose values are the same."""

    def assert_exact_requests(self) -> None:
        """For a submission of GOOD[:2]; signatures are computed here once more, from the vendor's description."""

    def assert_exact_requests_with_values(self) -> None:
        """For `with_values` of the first two."""


class HuaweiStand:
    refused_number = 8613800000005
    good: Sequence[int] = GOOD
    requests_each = False
    gives_ids = counts_segments = tells_time = True

    def __init__(self) -> None:
        self.sandbox = HuaweiSandbox(
            app_key="key-1",
            app_secret="secret-1",
            senders={"csms100000001"},
            templates={"tpl-spring": "【Shop】We open at 9.", "tpl-personal": "【Shop】${1}, see you at ${2}."},
            receipt_delay=(0.0, 0.05),
            now=Noon().now,
        )

    async def start(self, receipts_url: str) -> None:
        self.receipts_url = receipts_url
        await self.sandbox.start()

    def carrier(self, http: Http, *, url: str | None = None, secret: str | None = None) -> Carrier:
        return Huawei(
            app_key="key-1",
            app_secret=secret or "secret-1",
            http=http,
            clock=Noon(),
            pace=at_once,
            endpoint=url or self.sandbox.url,
        )

    def submission(self, *numbers: int, template: str = "tpl-spring") -> Submission:
        return Submission(
            reference=REFERENCE,
            numbers=numbers,
            sender="csms100000001",
            template_code=template,
            text="【Shop】We open at 9.",
            receipts_url=self.receipts_url,
        )

    def with_values(self, *numbers: int) -> Submission:
        called = names(numbers)
        return replace(
            self.submission(*numbers, template="tpl-personal"),
            values={number: (name, "9") for number, name in called.items()},
            texts={number: f"【Shop】{name}, see you at 9." for number, name in called.items()},
        )

    def refused_for_all(self, *numbers: int) -> Submission:
        return self.submission(*numbers, template="no-such-template")

    def assert_exact_requests(self) -> None:
        (request,) = self.sandbox.requests
        callback = self.receipts_url.replace(":", "%3A").replace("/", "%2F")
        assert request.body.decode() == (
            "from=csms100000001&templateId=tpl-spring"
            f"&statusCallback={callback}&extend=42.7&to=%2B8613811112222%2C%2B8613911113333"
        )
        host = self.sandbox.url.removeprefix("http://")
        canonical = (
            "POST\n/sms/batchSendSms/v1/\n\n"
            f"content-type:application/x-www-form-urlencoded\nhost:{host}\n"
            "x-sdk-content-sha256:UNSIGNED-PAYLOAD\nx-sdk-date:20261121T120000Z\n\n"
            "content-type;host;x-sdk-content-sha256;x-sdk-date\nUNSIGNED-PAYLOAD"
        )
        to_sign = f"SDK-HMAC-SHA256\n20261121T120000Z\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(b"secret-1", to_sign.encode(), hashlib.sha256).hexdigest()
        sent = dict(request.headers)
        assert sent.pop("authorization") == (
            "SDK-HMAC-SHA256 Access=key-1, "
            f"SignedHeaders=content-type;host;x-sdk-content-sha256;x-sdk-date, Signature={signature}"
        )
        assert sent == {
            "host": host,
            "content-type": "application/x-www-form-urlencoded",
            "x-sdk-content-sha256": "UNSIGNED-PAYLOAD",
            "x-sdk-date": "20261121T120000Z",
            **sent_by_http(request),
        }

    def assert_exact_requests_with_values(self) -> None:
        (request,) = self.sandbox.requests
        assert request.target == "/sms/batchSendDiffSms/v1"
        assert request.body.decode() == (
            f'{{"from":"csms100000001","statusCallback":"{self.receipts_url}","extend":"42.7","smsContent":['
            '{"to":["+8613811112222"],"templateId":"tpl-personal","templateParas":["客户0","9"]},'
            '{"to":["+8613911113333"],"templateId":"tpl-personal","templateParas":["客户1","9"]}]}'
        )
        host = self.sandbox.url.removeprefix("http://")
        canonical = (
            "POST\n/sms/batchSendDiffSms/v1/\n\n"
            f"content-type:application/json\nhost:{host}\nx-sdk-date:20261121T120000Z\n\n"
            f"content-type;host;x-sdk-date\n{hashlib.sha256(request.body).hexdigest()}"
        )
        to_sign = f"SDK-HMAC-SHA256\n20261121T120000Z\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(b"secret-1", to_sign.encode(), hashlib.sha256).hexdigest()
        assert dict(request.headers) == {
            "host": host,
            "content-type": "application/json",
            "x-sdk-date": "20261121T120000Z",
            "authorization": "SDK-HMAC-SHA256 Access=key-1, "
            f"SignedHeaders=content-type;host;x-sdk-date, Signature={signature}",
            **sent_by_http(request),
        }


class TencentStand:
    refused_number = 8613800000005
    good: Sequence[int] = GOOD
    requests_each = False
    gives_ids = counts_segments = tells_time = True

    def __init__(self) -> None:
        self.sandbox = TencentSandbox(
            secret_id="AKID1",
            secret_key="secret-1",
            sdk_app_id="1400006666",
            signatures={"腾讯云"},
            templates={"449739": "【腾讯云】明天见。", "449740": "【腾讯云】{1}，{2} 点见。"},
            echoes_context=True,
            receipt_delay=(0.0, 0.05),
            now=Noon().now,
        )

    async def start(self, receipts_url: str) -> None:
        self.sandbox.callback = receipts_url
        await self.sandbox.start()

    def carrier(self, http: Http, *, url: str | None = None, secret: str | None = None) -> Carrier:
        return Tencent(
            secret_id="AKID1",
            secret_key=secret or "secret-1",
            sdk_app_id="1400006666",
            http=http,
            clock=Noon(),
            pace=at_once,
            endpoint=url or self.sandbox.url,
        )

    def submission(self, *numbers: int, template: str = "449739") -> Submission:
        return Submission(
            reference=REFERENCE,
            numbers=numbers,
            sender="腾讯云",
            template_code=template,
            text="【腾讯云】明天见。",
            receipts_url="https://not.used.example.com",
        )

    def with_values(self, *numbers: int) -> Submission:
        called = names(numbers)
        return replace(
            self.submission(*numbers, template="449740"),
            values={number: (name, "8") for number, name in called.items()},
            texts={number: f"【腾讯云】{name}，8 点见。" for number, name in called.items()},
        )

    def refused_for_all(self, *numbers: int) -> Submission:
        return self.submission(*numbers, template="1")

    def assert_exact_requests(self) -> None:
        (request,) = self.sandbox.requests
        assert request.body.decode() == (
            '{"PhoneNumberSet":["+8613811112222","+8613911113333"],"SmsSdkAppId":"1400006666","TemplateId":"449739",'
            '"TemplateParamSet":[],"SignName":"腾讯云","SessionContext":"42.7"}'
        )
        self.assert_signed(request, "SendSms")

    def assert_exact_requests_with_values(self) -> None:
        bodies = sorted(request.body.decode() for request in self.sandbox.requests)
        assert bodies == [
            f'{{"PhoneNumberSet":["+{number}"],"SmsSdkAppId":"1400006666","TemplateId":"449740",'
            f'"TemplateParamSet":["客户{place}","8"],"SignName":"腾讯云","SessionContext":"42.7"}}'
            for place, number in enumerate(GOOD[:2])
        ]
        for request in self.sandbox.requests:
            self.assert_signed(request, "SendSms")

    def assert_signed(self, request: Sent, action: str) -> None:
        assert request.target == "/"
        host = self.sandbox.url.removeprefix("http://")
        canonical = (
            f"POST\n/\n\ncontent-type:application/json; charset=utf-8\nhost:{host}\n\n"
            f"content-type;host\n{hashlib.sha256(request.body).hexdigest()}"
        )
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"TC3-HMAC-SHA256\n1795262400\n2026-11-21/sms/tc3_request\n{hashed}"
        key = b"TC3secret-1"
        for part in (b"2026-11-21", b"sms", b"tc3_request"):
            key = hmac.new(key, part, hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        assert dict(request.headers) == {
            "host": host,
            "content-type": "application/json; charset=utf-8",
            "x-tc-action": action,
            "x-tc-version": "2021-01-11",
            "x-tc-timestamp": "1795262400",
            "x-tc-region": "ap-guangzhou",
            "authorization": "TC3-HMAC-SHA256 Credential=AKID1/2026-11-21/sms/tc3_request, "
            f"SignedHeaders=content-type;host, Signature={signature}",
            **sent_by_http(request),
        }


class TencentAbroadStand(TencentStand):
    """The same for other countries, where one request holds everybody's values."""

    refused_number = 85200000005
    good = (85261112222, 85291113333, 6591114444)

    def carrier(self, http: Http, *, url: str | None = None, secret: str | None = None) -> Carrier:
        return Tencent(
            secret_id="AKID1",
            secret_key=secret or "secret-1",
            sdk_app_id="1400006666",
            http=http,
            clock=Noon(),
            pace=at_once,
            endpoint=url or self.sandbox.url,
            region="international",
            sender_id="SHOP",
        )

    def assert_exact_requests_with_values(self) -> None:
        (request,) = self.sandbox.requests
        messages = ",".join(
            f'{{"PhoneNumber":"+{number}","TemplateId":"449740","TemplateParamSet":["客户{place}","8"],'
            '"SenderId":"SHOP","SessionContext":"42.7"}'
            for place, number in enumerate(self.good[:2])
        )
        assert request.body.decode() == f'{{"SmsSdkAppId":"1400006666","MultiSmsInfoSet":[{messages}]}}'
        self.assert_signed(request, "SendMultiGlobalSms")


class TwilioStand:
    refused_number = 8613800000005
    good: Sequence[int] = GOOD
    requests_each = True
    gives_ids = counts_segments = True
    tells_time = False

    def __init__(self) -> None:
        self.sandbox = TwilioSandbox(
            account_sid="AC1", auth_token="secret-1", senders={"+15005550006"}, receipt_delay=(0.0, 0.05)
        )

    async def start(self, receipts_url: str) -> None:
        self.receipts_url = receipts_url
        await self.sandbox.start()

    def carrier(self, http: Http, *, url: str | None = None, secret: str | None = None) -> Carrier:
        return Twilio(
            account_sid="AC1",
            auth_token=secret or "secret-1",
            http=http,
            clock=Noon(),
            pace=at_once,
            sender="+15005550006",
            endpoint=url or self.sandbox.url,
        )

    def submission(self, *numbers: int, sender: str = "") -> Submission:
        return Submission(
            reference=REFERENCE,
            numbers=numbers,
            sender=sender,
            template_code="",
            text="Spring is here: 50% + more & more 🌱",
            receipts_url=self.receipts_url,
        )

    def with_values(self, *numbers: int) -> Submission:
        return with_own_texts(self.submission(*numbers))

    def refused_for_all(self, *numbers: int) -> Submission:
        return self.submission(*numbers, sender="+15005550001")

    def assert_exact_requests(self) -> None:
        callback = self.receipts_url.replace(":", "%3A").replace("/", "%2F") + "%3Fref%3D42.7"
        assert {request.body.decode() for request in self.sandbox.requests} == {
            f"To=%2B{number}&From=%2B15005550006"
            "&Body=Spring+is+here%3A+50%25+%2B+more+%26+more+%F0%9F%8C%B1"
            f"&StatusCallback={callback}"
            for number in GOOD[:2]
        }
        for request in self.sandbox.requests:
            assert request.target == "/2010-04-01/Accounts/AC1/Messages.json"
            assert dict(request.headers) == {
                "host": self.sandbox.url.removeprefix("http://"),
                "content-type": "application/x-www-form-urlencoded",
                "authorization": "Basic " + base64.b64encode(b"AC1:secret-1").decode(),
                **sent_by_http(request),
            }

    def assert_exact_requests_with_values(self) -> None:
        callback = self.receipts_url.replace(":", "%3A").replace("/", "%2F") + "%3Fref%3D42.7"
        assert sorted(request.body.decode() for request in self.sandbox.requests) == [
            f"To=%2B{number}&From=%2B15005550006&Body=%E5%AE%A2%E6%88%B7{place}%2C+see+you+at+9."
            f"&StatusCallback={callback}"
            for place, number in enumerate(GOOD[:2])
        ]


class KannelStand:
    refused_number = 8613800000005
    good: Sequence[int] = GOOD
    requests_each = True
    gives_ids = counts_segments = False
    tells_time = True

    def __init__(self) -> None:
        self.sandbox = KannelSandbox(username="user", password="secret-1", receipt_delay=(0.0, 0.05), now=Noon().now)

    async def start(self, receipts_url: str) -> None:
        self.receipts_url = receipts_url
        await self.sandbox.start()

    def carrier(self, http: Http, *, url: str | None = None, secret: str | None = None) -> Carrier:
        return Kannel(
            url=f"{url or self.sandbox.url}/cgi-bin/sendsms",
            username="user",
            password=secret or "secret-1",
            http=http,
            clock=Noon(),
            pace=at_once,
            sender="10690000",
            max_messages=3,
        )

    def submission(self, *numbers: int) -> Submission:
        return Submission(
            reference=REFERENCE,
            numbers=numbers,
            sender="",
            template_code="",
            text="您好 + 100%",
            receipts_url=self.receipts_url,
        )

    def with_values(self, *numbers: int) -> Submission:
        return with_own_texts(self.submission(*numbers))

    def refused_for_all(self, *numbers: int) -> Submission:
        self.sandbox.denies_all = True
        return self.submission(*numbers)

    def assert_exact_requests(self) -> None:
        callback = self.receipts_url.replace(":", "%3A").replace("/", "%2F")
        assert {request.target for request in self.sandbox.requests} == {
            "/cgi-bin/sendsms?username=user&password=secret-1&from=10690000"
            f"&to=%2B{number}&text=%E6%82%A8%E5%A5%BD%20%2B%20100%25&charset=UTF-8&coding=2"
            f"&dlr-mask=27&dlr-url={callback}%3Fref%3D42.7%26type%3D%25d%26to%3D%25p%26at%3D%25T%26id%3D%25F%26answer%3D%25A"
            for number in GOOD[:2]
        }
        for request in self.sandbox.requests:
            assert request.body == b""
            assert dict(request.headers) == {
                "host": self.sandbox.url.removeprefix("http://"),
                **sent_by_http(request),
            }

    def assert_exact_requests_with_values(self) -> None:
        texts = {dict(parse_qsl(request.target))["text"] for request in self.sandbox.requests}
        assert texts == {"客户0, see you at 9.", "客户1, see you at 9."}
        assert all("&coding=2&" in request.target for request in self.sandbox.requests)


def with_own_texts(submission: Submission) -> Submission:
    """For carriers that take any text."""
    called = names(submission.numbers)
    return replace(
        submission,
        values={number: (name,) for number, name in called.items()},
        texts={number: f"{name}, see you at 9." for number, name in called.items()},
    )


def sent_by_http(request: Sent) -> Mapping[str, str]:
    """The headers that come with every request of ours."""
    length = {"content-length": str(len(request.body))} if request.body else {}
    return {**SENT_BY_HTTP, **length, "accept-encoding": request.headers["accept-encoding"]}


STANDS: list[Any] = [HuaweiStand, TencentStand, TwilioStand, KannelStand]
