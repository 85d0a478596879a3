"""Signatures, codes and callbacks of `services/carriers/twilio.py`; its requests are in tests/contract."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import get_args
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.carriers import twilio
from services.carriers.http import Http, HttpAnswer
from services.carriers.ports import (
    CodeClass,
    ForeignReceipts,
    Outcome,
    Receipt,
    ReceiptsRequest,
    Submission,
    UnreadableReceipts,
)
from services.carriers.twilio import CODES, STATUSES, Algorithm, Twilio, describe, is_signed, sign
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered

ANNA = 8613811112222
TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]
BODY_SHA256 = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
SMS = [
    ("MessageSid", "SM0123456789abcdef0123456789abcdef"),
    ("SmsSid", "SM0123456789abcdef0123456789abcdef"),
    ("MessageStatus", "delivered"),
    ("SmsStatus", "delivered"),
    ("To", "+15558675310"),
    ("From", "+15017122661"),
    ("AccountSid", "AC0123456789abcdef0123456789abcdef"),
    ("ApiVersion", "2010-04-01"),
]
SETTINGS_SHA256 = {"x-twilio-webhooks-signature-settings": "key=AuthToken,algorithm=HMAC_SHA256"}


class Now:
    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


async def at_once() -> None:
    """No rate to keep."""


def make(endpoint: str = twilio.ENDPOINT, sender: str | None = "+15005550006", service: str | None = None) -> Twilio:
    return Twilio(
        account_sid="AC1",
        auth_token=TOKEN,
        http=Http(),
        clock=Now(),
        pace=at_once,
        sender=sender,
        messaging_service_sid=service,
        endpoint=endpoint,
    )


def callback(
    fields: list[tuple[str, str]],
    signature: str | None = None,
    *,
    url: str = "https://sms.example.com/receipts/1/t?ref=42.7",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> ReceiptsRequest:
    signed = {"x-twilio-signature": sign(TOKEN, url, fields) if signature is None else signature}
    query = dict(parse_qsl(url.partition("?")[2]))
    return ReceiptsRequest(
        "POST", signed | (headers or {}), query, urlencode(fields).encode() if body is None else body, url
    )


def sms(**changes: str) -> list[tuple[str, str]]:
    return list((dict(SMS) | changes).items())


@pytest.mark.parametrize(
    ("url", "fields", "algorithm", "signature"),
    [
        pytest.param(URL, CALL, "sha1", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", id="published"),
        pytest.param(URL.replace(".com", ".com:443"), CALL, "sha1", "kvajT1Ptam85bY51eRf/AJRuM3w=", id="with :443"),
        pytest.param(
            "http://mycompany.com:80/myapp.php?foo=1&bar=2", CALL, "sha1", "0ZXoZLH/DfblKGATFgpif+LLRf4=", id="with :80"
        ),
        pytest.param(
            "http://mycompany.com:1234/myapp.php?foo=1&bar=2",
            CALL,
            "sha1",
            "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=",
            id="with another port",
        ),
        pytest.param(URL, CALL, "sha256", "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s=", id="SHA-256"),
        pytest.param(
            URL,
            [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")],
            "sha1",
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
            id="a field several times",
        ),
        pytest.param(
            f"{URL}&bodySHA256={BODY_SHA256}", [], "sha1", "a9nBmqA0ju/hNViExpshrM61xv4=", id="the hash of a body"
        ),
        pytest.param(
            "https://sms.example.com/cb/twilio", SMS, "sha1", "O2hLk0/cYnJisIXP5/X50Idh8nA=", id="an SMS callback"
        ),
    ],
)
def test_the_published_signatures_are_reproduced(
    url: str, fields: list[tuple[str, str]], algorithm: Algorithm, signature: str
) -> None:
    assert sign(TOKEN, url, fields, algorithm) == signature
    headers = SETTINGS_SHA256 if algorithm == "sha256" else {}
    body = b'{"property": "value", "boolean": true}' if "bodySHA256" in url else None
    assert is_signed(TOKEN, callback(fields, signature, url=url, headers=headers, body=body))


@pytest.mark.parametrize(
    ("signed", "called"),
    [
        ("https://a.example.com/x?ref=1", "https://a.example.com:443/x?ref=1"),
        ("https://a.example.com:443/x?ref=1", "https://a.example.com/x?ref=1"),
        ("http://a.example.com/x", "http://a.example.com:80/x"),
        ("https://[::1]/x", "https://[::1]:443/x"),
        ("https://[::1]:443/x", "https://[::1]/x"),
    ],
)
def test_the_schemes_own_port_may_be_signed_or_not(signed: str, called: str) -> None:
    assert is_signed(TOKEN, callback(SMS, sign(TOKEN, signed, SMS), url=called))


@pytest.mark.parametrize(
    ("signed", "called"),
    [
        ("https://a.example.com:8443/x", "https://a.example.com/x"),
        ("http://a.example.com/x", "https://a.example.com/x"),
        ("https://a.example.com/x?ref=1", "https://a.example.com/x?ref=2"),
        ("https://a.example.com/x", "https://a.example.com/y"),
        ("https://a.example.com:80/x", "https://a.example.com/x"),
    ],
)
def test_any_other_address_is_not_the_one_signed(signed: str, called: str) -> None:
    assert not is_signed(TOKEN, callback(SMS, sign(TOKEN, signed, SMS), url=called))


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(callback(SMS, ""), id="no signature"),
        pytest.param(callback(SMS, "é"), id="not ASCII"),
        pytest.param(callback(SMS, sign("another", URL, SMS), url=URL), id="another token"),
        pytest.param(callback(SMS, sign(TOKEN, URL, SMS, "sha256"), url=URL), id="SHA-256 without saying so"),
        pytest.param(callback(SMS, sign(TOKEN, URL, SMS), url=URL, headers=SETTINGS_SHA256), id="SHA-1, said SHA-256"),
        pytest.param(callback(sms(To="+1999"), sign(TOKEN, URL, SMS), url=URL), id="a field changed"),
        pytest.param(callback([*SMS, ("More", "x")], sign(TOKEN, URL, SMS), url=URL), id="a field added"),
        pytest.param(callback([("a", "b")] * 65), id="too many fields"),
        pytest.param(
            callback(
                [],
                "a9nBmqA0ju/hNViExpshrM61xv4=",
                url=f"{URL}&bodySHA256={BODY_SHA256}",
                body=b'{"property": "value", "boolean": false}',
            ),
            id="another body than the one hashed",
        ),
    ],
)
def test_what_is_not_signed_is_foreign_and_nothing_of_it_is_read(request_: ReceiptsRequest) -> None:
    with pytest.raises(ForeignReceipts):
        make().read_receipts(request_)


def test_the_hash_of_a_body_is_that_of_the_published_one() -> None:
    assert hashlib.sha256(b'{"property": "value", "boolean": true}').hexdigest() == BODY_SHA256


@given(st.binary(max_size=200), st.text(max_size=40), st.sampled_from([{}, SETTINGS_SHA256]))
def test_no_body_is_believed_without_the_token(body: bytes, signature: str, headers: dict[str, str]) -> None:
    with pytest.raises(ForeignReceipts):
        make().read_receipts(callback([], signature, headers=headers, body=body))


def test_a_callback_names_number_id_and_our_reference() -> None:
    assert make().read_receipts(callback(SMS)) == [
        Receipt(
            status="delivered",
            code="delivered",
            sms_id="SM0123456789abcdef0123456789abcdef",
            reference="42.7",
            number=15558675310,
        )
    ]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("queued", "pending"),
        ("accepted", "pending"),
        ("sending", "pending"),
        ("sent", "pending"),
        ("delivered", "delivered"),
        ("read", "delivered"),
        ("undelivered", "failed"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_each_status_is_final_or_not(status: str, kind: str) -> None:
    (receipt,) = make().read_receipts(callback(sms(MessageStatus=status)))
    assert receipt.status == kind
    assert STATUSES[status] == kind


def test_a_failure_is_told_with_twilios_error_code() -> None:
    (receipt,) = make().read_receipts(callback(sms(MessageStatus="undelivered", ErrorCode="30007")))
    assert (receipt.code, describe(receipt.code)) == ("30007", "the text was filtered as unwanted")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="nothing"),
        pytest.param(sms(MessageStatus="received"), id="a message to us"),
        pytest.param(sms(MessageStatus=""), id="no status"),
        pytest.param(sms(MessageSid=""), id="no id"),
        pytest.param(sms(MessageSid="a\x00"), id="a NUL"),
    ],
)
def test_what_twilio_signs_may_still_be_no_receipt(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(UnreadableReceipts):
        make().read_receipts(callback(fields))


@pytest.mark.parametrize("to", ["", "whatsapp:+1", "+", "1" * 16, "²"])
def test_a_receipt_without_a_readable_number_keeps_its_id(to: str) -> None:
    assert make().read_receipts(callback(sms(To=to)))[0].number is None


def read(body: object, status: int = 201, headers: dict[str, str] | None = None) -> Outcome:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make().read_answer(HttpAnswer(status, headers or {}, raw))


@pytest.mark.parametrize(
    ("segments", "counted"), [("1", 1), ("3", 3), ("0", None), (None, None), (2, 2)], ids=lambda each: repr(each)
)
def test_an_accepted_number_has_its_id_and_its_segments_where_they_are_known(
    segments: object, counted: int | None
) -> None:
    answer = {"sid": "SM1", "status": "queued", "num_segments": segments}
    assert read(answer) == Outcome(True, "queued", "SM1", counted)


def refusal(code: object, status: int = 400) -> dict[str, object]:
    return {"code": code, "message": "m", "more_info": "https://…", "status": status}


@pytest.mark.parametrize("code", [21211, 21610, 21614, 21408, 21606, 29999, "21610"])
def test_a_refusal_of_a_number_is_that_numbers_alone(code: object) -> None:
    assert read(refusal(code), 400) == Outcome(False, str(code))


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        pytest.param(401, refusal(20003), RequestRefused, "20003", id="credentials"),
        pytest.param(404, refusal(20404), RequestRefused, "20404", id="no such account"),
        pytest.param(403, b"<html>", Unanswered, "http_403", id="403 in HTML"),
        pytest.param(307, b"", Unanswered, "http_307", id="a redirect, not followed"),
        pytest.param(429, refusal(20429), NotTaken, "20429", id="slow down"),
        pytest.param(429, b"", NotTaken, "http_429", id="429 without a body"),
        pytest.param(400, refusal(20429), NotTaken, "20429", id="slow down at 400"),
        pytest.param(408, b"", Unanswered, "http_408", id="408"),
        pytest.param(500, refusal(20500), Unanswered, "http_500", id="500 with a code"),
        pytest.param(503, b"", Unanswered, "http_503", id="503"),
        pytest.param(201, b"<html>", Unanswered, "http_201", id="HTML"),
        pytest.param(201, b'{"sid": "SM', Unanswered, "http_201", id="half"),
        pytest.param(200, {"status": "queued"}, Unanswered, "http_200", id="no id"),
        pytest.param(201, b"[" * 100_000, Unanswered, "http_201", id="nested without end"),
    ],
)
def test_an_answer_that_is_no_outcome_says_what_it_can_say(
    status: int, body: object, kind: type[CarrierError], code: str
) -> None:
    with pytest.raises(kind) as raised:
        read(body, status)
    assert (type(raised.value), raised.value.code) == (kind, code)


def test_a_slow_down_says_how_long() -> None:
    with pytest.raises(NotTaken) as raised:
        read(refusal(20429), 429, {"retry-after": "7"})
    assert raised.value.retry_after_seconds == 7


@given(st.binary(), st.integers(200, 599))
def test_any_answer_is_read_or_is_one_of_three_errors(body: bytes, status: int) -> None:
    with suppress(NotTaken, RequestRefused, Unanswered):
        read(body, status)


async def test_a_text_twilio_would_refuse_never_leaves() -> None:
    with pytest.raises(RequestRefused, match="21617"):
        await make().submit(Submission("1.1", [ANNA], "", "", "x" * 1601))


def test_a_messaging_service_takes_the_place_of_a_number() -> None:
    form = make(sender=None, service="MG1")._form(Submission("1.1", [ANNA], "", "", "x"), ANNA)
    assert form == "To=%2B8613811112222&MessagingServiceSid=MG1&Body=x"


@pytest.mark.parametrize(("sender", "service"), [(None, None), ("+1", "MG1")])
def test_there_is_one_sender(sender: str | None, service: str | None) -> None:
    with pytest.raises(ValueError, match="either sender or messaging_service_sid"):
        make(sender=sender, service=service)


def test_every_code_has_a_class_and_words_without_the_code_in_them() -> None:
    for code, (kind, text) in CODES.items():
        assert kind in get_args(CodeClass)
        assert code not in text
        assert text[0].islower()
        assert not text.endswith(".")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("21610", "the person has unsubscribed"),
        ("undelivered", "could not be delivered"),
        ("39999", "39999"),
    ],
)
def test_a_code_is_described_in_words_or_as_it_was_written(code: str, words: str) -> None:
    assert describe(code) == words


async def test_a_text_of_its_own_that_twilio_would_refuse_is_refused_for_its_number_alone() -> None:
    answer = await make().submit(Submission("1", [ANNA], "", "", "", values={ANNA: ("x",)}, texts={ANNA: "x" * 1601}))
    assert answer.outcomes == {ANNA: Outcome(False, "21617")}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("From", "+1"), ("Body", "x")], id="no SID"),
        pytest.param([("MessageSid", "SM1"), ("Body", "x")], id="no number"),
        pytest.param([("MessageSid", "SM1"), ("From", "shop"), ("Body", "x")], id="a name for a number"),
        pytest.param([("MessageSid", "SM1"), ("From", "+1")], id="no text"),
    ],
)
def test_what_twilio_signs_may_still_be_no_reply(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(UnreadableReceipts):
        make().read_replies(callback(fields))
