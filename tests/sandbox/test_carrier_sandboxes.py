"""The stand-ins for Tencent, Twilio and Kannel refuse what those refuse, and have their traps.

What they take and report is held by tests/contract, what all stand-ins share by test_huawei_sandbox.py.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from aiohttp import ClientSession, web

from sandbox.carriers import tencent, twilio
from sandbox.carriers.kannel import PATH, KannelSandbox
from sandbox.carriers.server import CarrierSandbox
from sandbox.carriers.tencent import TencentSandbox, check_signature
from sandbox.carriers.tencent_asked import Refused
from sandbox.carriers.twilio import ACCOUNT_SID, AUTH_TOKEN, TwilioSandbox
from services.carriers.tencent import authorization

AT = datetime.fromtimestamp(1700000000, UTC)
# Made by Tencent's SDK.
SDK_BODY = json.dumps(
    {
        "PhoneNumberSet": ["+8618511122233"],
        "SmsSdkAppId": "1400006666",
        "TemplateId": "449739",
        "SignName": "腾讯云",
        "TemplateParamSet": ["张三", "8"],
        "SessionContext": "task-1",
    }
).encode()
SDK_HEADERS = {
    "host": "sms.tencentcloudapi.com",
    "content-type": "application/json",
    "x-tc-timestamp": "1700000000",
    "authorization": "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2023-11-14/sms/tc3_request, "
    "SignedHeaders=content-type;host, Signature=8c679b7d8625187f24926de538b2e005a4f6b0147802fed9b461edd0fa7f4523",
}


@pytest.mark.parametrize(
    ("headers", "body", "minutes", "refused"),
    [
        pytest.param({}, SDK_BODY, 0, None, id="as the SDK made it"),
        pytest.param({}, SDK_BODY, 4, None, id="a clock 4 minutes off"),
        pytest.param({}, SDK_BODY, 6, "SignatureExpire", id="a clock 6 minutes off"),
        pytest.param({}, SDK_BODY + b" ", 0, "SignatureFailure", id="another body"),
        pytest.param({"host": "sms.intl.tencentcloudapi.com"}, SDK_BODY, 0, "SignatureFailure", id="another host"),
        pytest.param({"x-tc-timestamp": "1700000001"}, SDK_BODY, 0, "SignatureFailure", id="another time"),
        pytest.param({"authorization": ""}, SDK_BODY, 0, "InvalidAuthorization", id="none"),
        pytest.param(
            {"authorization": SDK_HEADERS["authorization"].replace("AKIDEXAMPLE", "AKIDOTHER")},
            SDK_BODY,
            0,
            "SecretIdNotFound",
            id="another id",
        ),
    ],
)
def test_tencent_takes_the_signature_its_sdk_makes_and_no_other(
    headers: dict[str, str], body: bytes, minutes: int, refused: str | None
) -> None:
    with pytest.raises(Refused, match=refused) if refused else nullcontext():
        check_signature(
            SDK_HEADERS | headers,
            body,
            secret_id="AKIDEXAMPLE",
            secret_key="SECRETEXAMPLE",
            now=AT + timedelta(minutes=minutes),
        )


@pytest.mark.parametrize(
    ("url", "algorithm", "signature"),
    [
        ("https://mycompany.com/myapp.php?foo=1&bar=2", "sha1", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com/myapp.php?foo=1&bar=2", "sha256", "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="),
    ],
)
def test_twilio_signs_as_published(url: str, algorithm: str, signature: str) -> None:
    fields = [("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("From", "+14158675309")]
    fields += [("To", "+18005551212"), ("Caller", "+14158675309")]
    assert twilio.signature("12345", url, fields, algorithm) == signature


class Client:
    """Speaks to a stand-in, and takes what it reports."""

    def __init__(self, session: ClientSession) -> None:
        self.session = session
        self.callback = ""
        self.reports: asyncio.Queue[Any] = asyncio.Queue()
        self.answers = iter([b'{"result":0}'] * 1000)

    async def take(self, request: web.Request) -> web.Response:
        self.reports.put_nowait((dict(request.query), await request.text()))
        return web.Response(body=next(self.answers), content_type="application/json")

    async def reported(self) -> tuple[dict[str, str], str]:
        async with asyncio.timeout(5):
            query, body = await self.reports.get()
        return query, body


Start = Callable[[CarrierSandbox], Any]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with ClientSession() as session:
        made = Client(session)
        app = web.Application()
        app.router.add_route("*", "/receipts", made.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.callback = f"http://127.0.0.1:{runner.addresses[0][1]}/receipts"
        yield made
        await runner.cleanup()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[CarrierSandbox] = []

    async def begin(sandbox: CarrierSandbox) -> None:
        await sandbox.start()
        started.append(sandbox)

    yield begin
    for sandbox in started:
        await sandbox.stop()


FIELDS: dict[str, object] = {
    "PhoneNumberSet": ["+8613811112222"],
    "SmsSdkAppId": tencent.SDK_APP_ID,
    "TemplateId": "1",
    "SignName": "云帆咖啡",
    "TemplateParamSet": [],
}


async def ask_tencent(client: Client, sandbox: TencentSandbox, fields: object, action: str = "SendSms") -> Any:
    body = json.dumps(fields).encode()
    at = int(datetime.now(UTC).timestamp())
    host = sandbox.url.removeprefix("http://")
    headers = {
        "Content-Type": "application/json",
        "X-TC-Action": action,
        "X-TC-Version": "2021-01-11",
        "X-TC-Region": "ap-guangzhou",
        "X-TC-Timestamp": str(at),
        "Authorization": authorization(
            tencent.SECRET_ID,
            tencent.SECRET_KEY,
            service="sms",
            host=host,
            content_type="application/json",
            body=body,
            at=at,
        ),
    }
    async with client.session.post(f"{sandbox.url}/", data=body, headers=headers) as answer:
        assert answer.status == 200, "also where it refuses"
        return (await answer.json())["Response"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PhoneNumberSet": []}, "MissingParameter.EmptyPhoneNumberSet"),
        ({"PhoneNumberSet": [f"+86138{n:08}" for n in range(201)]}, "LimitExceeded.PhoneNumberCountLimit"),
        (
            {"PhoneNumberSet": ["+8613811112222", "+85261234567"]},
            "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
        ),
        ({"SmsSdkAppId": "14"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
        ({"SessionContext": "x" * 512}, "InvalidParameterValue.ContentLengthLimit"),
        ({"Sign": "x"}, "UnknownParameter"),
    ],
)
async def test_tencent_refuses_the_whole_request(
    client: Client, start: Start, changes: dict[str, object], code: str
) -> None:
    sandbox = TencentSandbox()
    await start(sandbox)
    answer = await ask_tencent(client, sandbox, FIELDS | changes)
    assert answer["Error"]["Code"] == code
    assert sandbox.log == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "Ok"),
        ({"TemplateId": "2"}, "FailedOperation.TemplateIncorrectOrUnapproved"),
        ({"SignName": "别人"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
        ({"TemplateParamSet": ["1"]}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        ({"PhoneNumberSet": ["+8613800000005"]}, "FailedOperation.PhoneNumberInBlacklist"),
        ({"PhoneNumberSet": ["+861"]}, "InvalidParameterValue.IncorrectPhoneNumber"),
    ],
)
async def test_tencent_gives_each_number_a_status(
    client: Client, start: Start, changes: dict[str, object], code: str
) -> None:
    sandbox = TencentSandbox(signatures=["云帆咖啡"], templates={"1": "【云帆咖啡】您好"})
    await start(sandbox)
    (status,) = (await ask_tencent(client, sandbox, FIELDS | changes))["SendStatusSet"]
    assert (status["Code"], bool(status["SerialNo"]), status["Fee"]) == (code, code == "Ok", int(code == "Ok"))


async def test_tencent_pushes_again_what_was_not_answered_well(
    client: Client, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.carriers.receipts.RETRY_SECONDS", 0.01)
    sandbox = TencentSandbox(callback=client.callback, receipt_delay=(0.0, 0.0))
    await start(sandbox)
    client.answers = iter([b"OK", b'{"result":1}', b'{"result":0}'])
    await ask_tencent(client, sandbox, FIELDS)
    pushes = [json.loads((await client.reported())[1]) for _ in range(3)]
    assert pushes[0] == pushes[1] == pushes[2]
    assert "ext" not in pushes[0][0], "only where support has enabled it"


def basic(sid: str = ACCOUNT_SID, token: str = AUTH_TOKEN) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{sid}:{token}".encode()).decode()}


MESSAGE = {"To": "+8613811112222", "From": "+15005550006", "Body": "x"}


@pytest.mark.parametrize(
    ("changes", "headers", "status", "code"),
    [
        ({}, basic(token="wrong"), 401, 20003),
        ({}, {}, 401, 20003),
        ({"To": ""}, basic(), 400, 21604),
        ({"To": "+8613811112222,+8613811112223"}, basic(), 400, 21211),
        ({"Body": ""}, basic(), 400, 21602),
        ({"From": ""}, basic(), 400, 21603),
        ({"From": "+15005550001"}, basic(), 400, 21606),
        ({"Body": "x" * 1601}, basic(), 400, 21617),
        ({"StatusCallback": "here"}, basic(), 400, 21609),
        ({"To": "+8613800000005"}, basic(), 400, 21610),
    ],
)
async def test_twilio_refuses_a_message(
    client: Client, start: Start, changes: dict[str, str], headers: dict[str, str], status: int, code: int
) -> None:
    sandbox = TwilioSandbox(senders=["+15005550006"])
    await start(sandbox)
    url = f"{sandbox.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    async with client.session.post(url, data=MESSAGE | changes, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (status, code)
    assert sandbox.log == []


KANNEL = {"username": "demo", "password": "demo-secret", "from": "1069", "to": "+8613811112222", "charset": "UTF-8"}


async def ask_kannel(client: Client, sandbox: KannelSandbox, **fields: str) -> tuple[int, str]:
    async with client.session.get(f"{sandbox.url}{PATH}?{urlencode(KANNEL | fields)}") as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("fields", "status", "line"),
    [
        ({"text": "x"}, 202, "0: Accepted for delivery"),
        ({"text": ""}, 202, "0: Accepted for delivery"),
        ({"password": "wrong"}, 403, "Authorization failed for sendsms"),
        ({"to": ""}, 400, "Missing receiver number, rejected"),
        ({"to": "abc"}, 400, "Number(s) has/have been denied by white- and/or black-lists."),
        ({"charset": "KOI-9"}, 400, "Charset or body misformed, rejected"),
        ({"dlr-mask": "99"}, 400, "DLR-Mask field misformed, rejected"),
    ],
    ids=str,
)
async def test_kannel_answers_in_a_line(
    client: Client, start: Start, fields: dict[str, str], status: int, line: str
) -> None:
    sandbox = KannelSandbox()
    await start(sandbox)
    assert await ask_kannel(client, sandbox, **fields) == (status, line)


@pytest.mark.parametrize(
    ("fields", "arrives"),
    [
        pytest.param({"text": "您好abc", "coding": "2"}, "您好abc", id="as it should be"),
        pytest.param({"text": "您好abc", "coding": "0"}, "??abc", id="without coding=2"),
        pytest.param({"text": "字" * 300, "coding": "2"}, "字" * 201, id="more than max-messages"),
        pytest.param({"text": "é", "coding": "2", "charset": "ISO-8859-1"}, "Ã©", id="without charset=UTF-8"),
    ],
)
async def test_kannel_takes_a_text_and_spoils_it_without_a_word(
    client: Client, start: Start, fields: dict[str, str], arrives: str
) -> None:
    sandbox = KannelSandbox()
    await start(sandbox)
    assert (await ask_kannel(client, sandbox, **fields))[0] == 202
    assert [entry.text for entry in sandbox.log] == [arrives]


async def test_kannel_reports_only_what_the_mask_asks_for(client: Client, start: Start) -> None:
    sandbox = KannelSandbox(receipt_delay=(0.0, 0.0))
    await start(sandbox)
    template = f"{client.callback}?ref=1&type=%d&to=%p"
    await ask_kannel(client, sandbox, text="x", **{"dlr-mask": "1", "dlr-url": template})
    query, _ = await client.reported()
    assert query == {"ref": "1", "type": "1", "to": "+8613811112222"}
    await asyncio.sleep(0.05)
    assert client.reports.empty(), "it was not asked for the report of the operator's taking it"


async def test_a_person_answers_where_the_console_says(client: Client, start: Start) -> None:
    sandbox = TwilioSandbox()
    await start(sandbox)
    url = f"{sandbox.url}/control/replies"
    async with client.session.post(url, json={"number": "+8613811112222", "text": "STOP"}) as answer:
        assert (answer.status, "give url" in (await answer.json())["error"]) == (400, True)
    told = {"number": "8613811112222", "text": "STOP", "url": client.callback}
    for wanted in (told, {"number": "+8613811112222", "text": "hello"}):
        async with client.session.post(url, json=wanted) as answer:
            assert answer.status == 200
        _, body = await client.reported()
        fields = dict(parse_qsl(body))
        assert (fields["From"], fields["Body"]) == ("+8613811112222", wanted["text"])
    async with client.session.post(url, json={"text": "STOP"}) as answer:
        assert answer.status == 400


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MultiSmsInfoSet": []}, "InvalidParameterValue.MultiSmsInfoSetEmpty"),
        ({"MultiSmsInfoSet": [{"PhoneNumber": "+8613811112222"}]}, "UnsupportedOperation.ContainDomesticPhoneNumber"),
        (
            {"MultiSmsInfoSet": [{"PhoneNumber": f"+852612{n:05}"} for n in range(201)]},
            "LimitExceeded.PhoneNumberCountLimit",
        ),
        ({"SignName": "x"}, "UnknownParameter"),
    ],
)
async def test_tencent_refuses_messages_of_their_own(
    client: Client, start: Start, changes: dict[str, object], code: str
) -> None:
    sandbox = TencentSandbox()
    await start(sandbox)
    fields = {"SmsSdkAppId": tencent.SDK_APP_ID, "MultiSmsInfoSet": [{"PhoneNumber": "+85261234567"}]} | changes
    answer = await ask_tencent(client, sandbox, fields, "SendMultiGlobalSms")
    assert answer["Error"]["Code"] == code
    assert sandbox.log == []


async def test_tencents_queue_tells_each_status_once_and_only_where_it_is_enabled(client: Client, start: Start) -> None:
    sandbox = TencentSandbox(receipt_delay=(0.0, 0.0))
    await start(sandbox)
    await ask_tencent(client, sandbox, FIELDS)
    pull = {"Limit": 100, "SmsSdkAppId": tencent.SDK_APP_ID}
    answer = await ask_tencent(client, sandbox, pull, "PullSmsSendStatus")
    assert answer["Error"]["Code"] == "UnauthorizedOperation.RequestPermissionDeny"
    sandbox.asked.queue_enabled = True
    for count in (1, 0):
        answer = await ask_tencent(client, sandbox, pull, "PullSmsSendStatus")
        assert len(answer["PullSmsSendStatusSet"]) == count
    answer = await ask_tencent(client, sandbox, pull | {"Limit": 101}, "PullSmsSendStatus")
    assert answer["Error"]["Code"] == "InvalidParameterValue.LimitVerifyFail"
