"""The stand-in carrier refuses what Huawei refuses, sends receipts, and fails on demand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from aiohttp import ClientError, ClientSession, web

from sandbox.carriers.huawei import MAGIC, PATH, HuaweiSandbox
from sandbox.carriers.huawei_checks import Refused, canonical_number, check_signature, read_diff, segments

FORM = "application/x-www-form-urlencoded"
FIELDS = {"from": "csms1", "to": "+8613811112222", "templateId": "tpl", "extend": "1.1"}


def signed(
    host: str,
    *,
    key: str = "demo-key",
    secret: str = "demo-secret",
    minutes_off: int = 0,
    content_type: str = FORM,
) -> dict[str, str]:
    date = (datetime.now(UTC) + timedelta(minutes=minutes_off)).strftime("%Y%m%dT%H%M%SZ")
    names = "content-type;host;x-sdk-content-sha256;x-sdk-date"
    canonical = (
        f"POST\n{PATH}/\n\ncontent-type:{content_type}\nhost:{host}\n"
        f"x-sdk-content-sha256:UNSIGNED-PAYLOAD\nx-sdk-date:{date}\n\n{names}\nUNSIGNED-PAYLOAD"
    )
    to_sign = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return {
        "Content-Type": content_type,
        "X-Sdk-Date": date,
        "X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD",
        "Authorization": f"SDK-HMAC-SHA256 Access={key}, SignedHeaders={names}, Signature={signature}",
    }


class Phone:
    """A client of the sandbox that also takes its receipts."""

    def __init__(self, sandbox: HuaweiSandbox, session: ClientSession) -> None:
        self.sandbox, self.session = sandbox, session
        self.callback = ""
        self.receipts: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def post(self, fields: dict[str, str], **how: Any) -> tuple[int, dict[str, Any]]:
        headers = how.pop("headers", None) or signed(self.sandbox.url.removeprefix("http://"), **how)
        async with self.session.post(self.sandbox.url + PATH, data=urlencode(fields), headers=headers) as answer:
            return answer.status, await answer.json()

    async def statuses(self, *numbers: str, **fields: str) -> list[str]:
        _, answer = await self.post(FIELDS | {"to": ",".join(numbers)} | fields)
        return [entry["status"] for entry in answer["result"]]

    async def control(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        async with self.session.request(method, f"{self.sandbox.url}/control/{path}", json=body) as answer:
            return answer.status, await answer.json()

    async def take(self, request: web.Request) -> web.Response:
        self.receipts.put_nowait(dict(parse_qsl(await request.text())))
        return web.Response()

    async def received(self, count: int, seconds: float = 5) -> list[dict[str, str]]:
        async with asyncio.timeout(seconds):
            return [await self.receipts.get() for _ in range(count)]


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Any]]:
    """A function that starts a sandbox with these settings and gives a Phone for it."""
    phones: list[Phone] = []
    runners: list[web.AppRunner] = []

    async def started(**settings: Any) -> Phone:
        sandbox = HuaweiSandbox(**({"receipt_delay": (0.0, 0.02)} | settings))
        await sandbox.start()
        phone = Phone(sandbox, ClientSession())
        phones.append(phone)
        app = web.Application()
        app.router.add_post("/receipts", phone.take)
        runner = web.AppRunner(app, access_log=None)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        phone.callback = f"http://127.0.0.1:{runner.addresses[0][1]}/receipts"
        return phone

    yield started
    for phone in phones:
        await phone.session.close()
        await phone.sandbox.stop()
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def phone(make: Callable[..., Any]) -> Phone:
    made: Phone = await make()
    return made


@pytest.mark.parametrize(
    ("signature", "right"),
    [
        pytest.param("93b1ddd3a4dcfdb7b5f80235810912dcf2a0b898afe4d09a94436823e7caeb5f", True, id="as the SDK made it"),
        pytest.param("93b1ddd3a4dcfdb7b5f80235810912dcf2a0b898afe4d09a94436823e7caeb50", False, id="one digit off"),
    ],
)
def test_the_signature_the_vendors_sdk_puts_on_a_form_is_the_one_accepted(signature: str, right: bool) -> None:
    headers = {
        "content-type": FORM,
        "host": "127.0.0.1:13978",
        "user-agent": "huaweicloud-usdk-python/3.0; os/Linux##1_SMP_PREEMPT_DYNAMIC_@0#x86_64 python/3.11.7 "
        "impl/CPython; app/2093fbf4-6767-4430-9132-b1d210c4844e",
        "x-sdk-content-sha256": "UNSIGNED-PAYLOAD",
        "x-sdk-date": "20261121T235932Z",
        "authorization": "SDK-HMAC-SHA256 Access=c8RWg3ggEcyd4D3p94bf3Y7x1Ile, "
        f"SignedHeaders=content-type;host;user-agent;x-sdk-content-sha256;x-sdk-date, Signature={signature}",
    }
    with nullcontext() if right else pytest.raises(Refused, match="E000045"):
        check_signature(
            "POST",
            PATH,
            headers,
            b"not signed",
            key="c8RWg3ggEcyd4D3p94bf3Y7x1Ile",
            secret="q4Ii87BhST9vcs8wvrzN80SfD7Al",
            now=datetime(2026, 11, 21, 23, 59, 32, tzinfo=UTC),
        )


async def test_an_accepted_number_is_answered_logged_and_reported(phone: Phone) -> None:
    status, answer = await phone.post(FIELDS | {"statusCallback": phone.callback})
    (entry,) = answer["result"]
    assert (status, answer["code"], entry["status"], entry["originTo"]) == (200, "000000", "000000", "+8613811112222")
    assert (entry["from"], entry["total"], entry["countryId"]) == ("csms1", 1, "CN")
    (kept,) = phone.sandbox.log
    assert (kept.number, kept.reference, kept.template, kept.sender) == ("+8613811112222", "1.1", "tpl", "csms1")
    (receipt,) = await phone.received(1)
    assert receipt.pop("updateTime").endswith("Z")
    assert receipt == {
        "sequence": "1",
        "total": "1",
        "orgCode": "000",
        "source": "2",
        "smsMsgId": entry["smsMsgId"],
        "status": "DELIVRD",
        "statusDesc": "Success",
        "extend": "1.1",
        "to": "+8613811112222",
    }


async def test_without_extend_a_report_does_not_name_its_number(phone: Phone) -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "extend"}
    await phone.post(fields | {"statusCallback": phone.callback})
    (receipt,) = await phone.received(1)
    assert not {"to", "extend"} & receipt.keys()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        pytest.param({"headers": {"Content-Type": FORM}}, "E000001", id="no Authorization"),
        pytest.param({"headers": {"Content-Type": FORM, "Authorization": "Basic x"}}, "E000045", id="another scheme"),
        pytest.param({"key": "other"}, "E000102", id="another key"),
        pytest.param({"secret": "other"}, "E000045", id="another secret"),
        pytest.param({"minutes_off": -16}, "E000110", id="16 minutes late"),
        pytest.param({"minutes_off": 16}, "E000110", id="16 minutes early"),
        pytest.param({"content_type": "text/plain"}, "E000040", id="no form"),
    ],
)
async def test_a_request_that_is_not_signed_right_is_refused(phone: Phone, how: dict[str, Any], code: str) -> None:
    status, answer = await phone.post(FIELDS, **how)
    assert (status in {401, 415}, answer["code"], "result" in answer) == (True, code, False)
    assert phone.sandbox.log == []


async def test_a_signature_may_be_let_through_unchecked(make: Callable[..., Any]) -> None:
    phone = await make(strict_signature=False)
    _, answer = await phone.post(FIELDS, headers={"Content-Type": FORM})
    assert answer["code"] == "000000"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"from": ""}, "E000503", id="no from"),
        pytest.param({"to": ""}, "E000503", id="no to"),
        pytest.param({"templateId": ""}, "E000503", id="no template"),
        pytest.param({"templateId": "x" * 33}, "E000503", id="template id too long"),
        pytest.param({"to": "+86138 1111 2222"}, "E000503", id="a space in a number"),
        pytest.param({"to": "+8613811112222,abc"}, "E000503", id="a letter in one number"),
        pytest.param({"to": ",".join(["+8613811112222"] * 501)}, "E000503", id="501 numbers"),
        pytest.param({"extend": "a{b}"}, "E000503", id="braces in extend"),
        pytest.param({"extend": "x" * 129}, "E000503", id="extend too long"),
        pytest.param({"statusCallback": "javascript:1"}, "E000503", id="no callback address"),
        pytest.param({"templateParas": "3,5"}, "E000000", id="variables that are no array"),
        pytest.param({"templateParas": "[1]"}, "E000000", id="variables that are no text"),
    ],
)
async def test_a_field_that_is_wrong_fails_the_whole_request(phone: Phone, change: dict[str, str], code: str) -> None:
    status, answer = await phone.post(FIELDS | change)
    assert (status, answer["code"], "result" in answer) == (400, code, False)
    assert phone.sandbox.log == []


async def test_an_invalid_or_repeated_number_fails_alone(phone: Phone) -> None:
    assert await phone.statuses("+8613811112222", "13811112222", "123", "13911113333") == [
        "000000",
        "E200041",
        "E200025",
        "000000",
    ]
    assert [entry.number for entry in phone.sandbox.log] == ["+8613811112222", "+8613911113333"]


@pytest.mark.parametrize(
    ("sender", "template", "variables", "status"),
    [
        ("csms1", "hello", '["Anna"]', "000000"),
        ("csms2", "hello", '["Anna"]', "E200018"),
        ("csms1", "other", '["Anna"]', "E200030"),
        ("csms1", "hello", "", "E200028"),
        ("csms1", "hello", '["Anna","9"]', "E200028"),
    ],
)
async def test_known_senders_and_templates_are_checked_where_configured(
    make: Callable[..., Any], sender: str, template: str, variables: str, status: str
) -> None:
    phone = await make(senders={"csms1"}, templates={"hello": "【Shop】${1}, hello ${1}!"})
    fields = {"from": sender, "templateId": template, "templateParas": variables}
    assert await phone.statuses("+8613811112222", **fields) == [status]


async def test_a_long_text_gets_one_receipt_for_each_segment(make: Callable[..., Any]) -> None:
    phone = await make(templates={"long": "【Shop】" + "春" * 60 + "${1}"})
    fields = {"templateId": "long", "templateParas": json.dumps(["春" * 69])}
    await phone.post(FIELDS | fields | {"statusCallback": phone.callback})
    receipts = await phone.received(3)
    assert {(receipt["sequence"], receipt["total"]) for receipt in receipts} == {("1", "3"), ("2", "3"), ("3", "3")}
    assert len({receipt["smsMsgId"] for receipt in receipts}) == 1


@pytest.mark.parametrize(("length", "parts"), [(0, 1), (70, 1), (71, 2), (134, 2), (135, 3)])
def test_segments_are_counted_as_on_the_mainland(length: int, parts: int) -> None:
    assert segments("春" * length) == parts
    assert segments("x" * length) == parts


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+8613811112222", "+8613811112222"),
        ("13811112222", "+8613811112222"),
        ("+85261234567", "+85261234567"),
        ("8613811112222", None),
        ("+8612345678901", None),
        ("+861381111222", None),
        ("85261234567", None),
        ("", None),
        ("++1", None),
    ],
)
def test_only_mainland_numbers_may_come_without_their_prefix(text: str, number: str | None) -> None:
    assert canonical_number(text) == number


async def test_magic_endings_decide_what_becomes_of_a_number(make: Callable[..., Any]) -> None:
    phone = await make(late_seconds=0.3)
    numbers = [f"+8613800138{ending}" for ending in ("999", *MAGIC)]
    statuses = await phone.statuses(*numbers, statusCallback=phone.callback)
    assert dict(zip(numbers, statuses, strict=True)) == dict.fromkeys(numbers, "000000") | {"+8613800138005": "E200025"}
    receipts = await phone.received(5)
    assert [(receipt["to"][-3:], receipt["status"]) for receipt in sorted(receipts, key=lambda one: one["to"])] == [
        ("001", "UNDELIV"),
        ("002", "MBBLACK"),
        ("003", "EXPIRED"),
        ("006", "DELIVRD"),
        ("999", "DELIVRD"),
    ]
    assert receipts[-1]["to"].endswith("006")
    assert [entry.number[-3:] for entry in phone.sandbox.log] == ["999", "001", "002", "003", "004", "006"]


@pytest.mark.parametrize(
    ("kind", "logged"),
    [
        ("http_429", 0),
        ("http_500", 0),
        ("reset_before", 0),
        ("reset_after", 1),
        ("garbage", 1),
        ("http_403", 1),
        ("half", 1),
        ("timeout_after", 1),
    ],
)
async def test_a_fault_takes_the_numbers_or_not_as_its_table_says(phone: Phone, kind: str, logged: int) -> None:
    phone.sandbox.inject(kind)
    try:
        async with asyncio.timeout(0.2):
            await phone.post(FIELDS)
    except (ClientError, TimeoutError, ValueError):
        pass
    else:
        assert kind == "http_429"
    assert len(phone.sandbox.log) == logged
    assert (await phone.post(FIELDS))[1]["code"] == "000000"


async def test_a_delay_answers_later_and_rightly(phone: Phone) -> None:
    phone.sandbox.inject("delay", seconds=0.1)
    began = time.monotonic()
    assert (await phone.post(FIELDS))[1]["code"] == "000000"
    assert time.monotonic() - began >= 0.1


async def test_clearing_ends_a_delay_and_the_answer_is_as_ever(phone: Phone) -> None:
    phone.sandbox.inject("delay", seconds=3600)
    asked = asyncio.create_task(phone.post(FIELDS))
    for _ in range(200):
        if not phone.sandbox.faults.waiting():
            break
        await asyncio.sleep(0.01)
    assert not phone.sandbox.faults.waiting()
    assert not phone.sandbox.log
    assert await phone.control("DELETE", "faults") == (200, {"waiting": {}})
    assert (await asked)[1]["code"] == "000000"
    assert len(phone.sandbox.log) == 1


@pytest.mark.parametrize(("kind", "copies"), [("lost", 0), ("duplicated", 2)])
async def test_the_next_receipt_is_lost_or_doubled(phone: Phone, kind: str, copies: int) -> None:
    phone.sandbox.inject(kind)
    await phone.post(FIELDS | {"to": "+8613811112222", "statusCallback": phone.callback})
    await phone.post(FIELDS | {"to": "+8613911113333", "statusCallback": phone.callback})
    counts = Counter(receipt["to"] for receipt in await phone.received(copies + 1))
    assert counts == {"+8613911113333": 1} | ({"+8613811112222": copies} if copies else {})


async def test_a_storm_comes_at_once_and_out_of_order(phone: Phone) -> None:
    numbers = [f"+86138111{index:05}" for index in range(100, 300)]
    phone.sandbox.inject("storm", count=len(numbers), seconds=0.2)
    await phone.statuses(*numbers, statusCallback=phone.callback)
    await asyncio.sleep(0.1)
    assert phone.receipts.empty()
    order = [receipt["to"] for receipt in await phone.received(len(numbers))]
    assert sorted(order) == numbers
    assert order != numbers


async def test_receipts_come_by_the_thousand(phone: Phone) -> None:
    for batch in range(6):
        numbers = [f"+86138{batch:02}{index:06}" for index in range(100, 600)]
        await phone.statuses(*numbers, statusCallback=phone.callback)
    receipts = await phone.received(3000, seconds=5)
    assert len({receipt["smsMsgId"] for receipt in receipts}) == 3000


async def test_a_callback_that_is_not_there_loses_its_receipts(phone: Phone) -> None:
    await phone.post(FIELDS | {"statusCallback": phone.sandbox.url + "/nowhere"})
    for _ in range(200):
        _, counts = await phone.control("GET", "receipts")
        if not counts["waiting"]:
            break
        await asyncio.sleep(0.01)
    assert counts == {"waiting": 0, "sent": 0, "failed": 1}


async def test_the_control_api_injects_shows_and_clears(phone: Phone) -> None:
    assert await phone.control("POST", "faults", {"kind": "http_500", "count": 2}) == (
        200,
        {"waiting": {"http_500": 2}},
    )
    assert await phone.control("POST", "faults", {"kind": "lost"}) == (200, {"waiting": {"http_500": 2, "lost": 1}})
    assert await phone.control("DELETE", "faults") == (200, {"waiting": {}})
    await phone.post(FIELDS | {"to": "+8613811112222,+8613911113333"})
    _, log = await phone.control("GET", "log?after=1")
    assert (log["total"], [entry["number"] for entry in log["accepted"]]) == (2, ["+8613911113333"])
    _, requests = await phone.control("GET", "requests")
    assert [entry["code"] for entry in requests["requests"]] == ["000000"]
    assert (await phone.control("DELETE", "log"))[1] == {"total": 0}
    assert (await phone.control("GET", "log"))[1]["accepted"] == []


@pytest.mark.parametrize(
    "body", [{}, {"kind": "earthquake"}, {"kind": "lost", "count": 0}, {"kind": "lost", "seconds": "x"}, [], "lost"]
)
async def test_a_fault_that_is_not_in_the_tables_is_refused(phone: Phone, body: object) -> None:
    status, answer = await phone.control("POST", "faults", body)
    assert (status, bool(answer["error"])) == (400, True)


def wsse(digest: str, key: str = "demo-key", secret: str = "demo-secret", hours_off: int = 0) -> dict[str, str]:
    created = (datetime.now(UTC) + timedelta(hours=hours_off)).strftime("%Y-%m-%dT%H:%M:%SZ")
    hashed = hashlib.sha256(f"nonce1{created}{secret}".encode())
    encoded = base64.b64encode(hashed.hexdigest().encode() if digest == "hex" else hashed.digest()).decode()
    token = f'UsernameToken Username="{key}",PasswordDigest="{encoded}",Nonce="nonce1",Created="{created}"'
    return {
        "Content-Type": FORM,
        "Authorization": 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"',
        "X-WSSE": token,
    }


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param(wsse("hex"), "000000", id="hex"),
        pytest.param(wsse("raw"), "000000", id="raw"),
        pytest.param(wsse("raw", secret="wrong"), "E000105", id="another secret"),
        pytest.param(wsse("raw", key="other"), "E000102", id="another key"),
        pytest.param(wsse("hex", hours_off=-25), "E000110", id="a day old"),
        pytest.param(wsse("hex") | {"X-WSSE": "UsernameToken"}, "E000020", id="half a token"),
    ],
)
async def test_wsse_is_taken_in_both_its_forms(phone: Phone, headers: dict[str, str], code: str) -> None:
    assert (await phone.post(FIELDS, headers=headers))[1]["code"] == code


def diff(entry: object) -> bytes:
    return json.dumps({"from": "1", "smsContent": [entry]}).encode()


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{", "application/json", "E000000"),
        (b"{}", "application/json", "E000000"),
        (b'{"from":"1","smsContent":[]}', "application/json", "E000503"),
        (b'{"from":"1","smsContent":[{"to":"+86138","templateId":"t"}]}', "application/json", "E000000"),
        (b'{"from":"1","smsContent":[{"to":["a"],"templateId":"t"}]}', "application/json", "E000503"),
        (diff({"to": ["+1"] * 501, "templateId": "t"}), "application/json", "E000503"),
        (diff({"to": ["+1"], "templateId": "t", "templateParas": ["x" * 70_000]}), "application/json", "E000503"),
        (b"{}", FORM, "E000040"),
    ],
)
def test_a_diff_is_refused_where_huawei_refuses_it(body: bytes, content_type: str, code: str) -> None:
    with pytest.raises(Refused, match=code):
        read_diff(content_type, body)
