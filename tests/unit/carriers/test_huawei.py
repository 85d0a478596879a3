"""Signing, the form, codes and receipts of `services/carriers/huawei.py`; its requests are in tests/contract."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.carriers import huawei
from services.carriers.http import Http, HttpAnswer
from services.carriers.huawei import CODES, Huawei, describe, diff_requests, form
from services.carriers.huawei_auth import sign
from services.carriers.ports import (
    Answer,
    CodeClass,
    Outcome,
    Receipt,
    ReceiptsRequest,
    Reply,
    Submission,
    UnreadableReceipts,
)
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
ANNA, BEN, CHEN = 8613811112222, 8613911113333, 8615011114444


class At:
    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


async def at_once() -> None:
    """No rate to keep."""


def make(region: Any = "mainland", endpoint: str = huawei.ENDPOINT) -> Huawei:
    return Huawei(
        app_key="demo-key",
        app_secret="demo-secret",
        http=Http(),
        clock=At(NOON),
        pace=at_once,
        endpoint=endpoint,
        region=region,
    )


def read(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make().read_answer(HttpAnswer(status, headers or {}, raw), (ANNA, BEN))


def result(origin: str, status: str = "000000", **more: object) -> dict[str, object]:
    return {"originTo": origin, "status": status, "smsMsgId": "id-1", "total": 1} | more


def receipts(body: bytes, region: Any = "mainland") -> list[Receipt]:
    return list(make(region).read_receipts(ReceiptsRequest("POST", {}, {}, body)))


def test_the_published_signature_is_reproduced() -> None:
    signature = sign(
        "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
        "GET",
        "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
        "limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        {
            "content-type": "application/json",
            "host": "service.region.example.com",
            "x-sdk-date": "20191115T033655Z",
        },
        hashlib.sha256(b"").hexdigest(),
        "20191115T033655Z",
    )
    assert signature == "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"


def test_the_signature_the_vendors_sdk_puts_on_a_form_is_reproduced() -> None:
    date = "20261121T235932Z"
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": "127.0.0.1:13978",
        "user-agent": "huaweicloud-usdk-python/3.0; os/Linux##1_SMP_PREEMPT_DYNAMIC_@0#x86_64 python/3.11.7 "
        "impl/CPython; app/2093fbf4-6767-4430-9132-b1d210c4844e",
        "x-sdk-content-sha256": "UNSIGNED-PAYLOAD",
        "x-sdk-date": date,
    }
    secret = "q4Ii87BhST9vcs8wvrzN80SfD7Al"
    signature = sign(secret, "POST", "/sms/batchSendSms/v1", "", headers, "UNSIGNED-PAYLOAD", date)
    assert signature == "93b1ddd3a4dcfdb7b5f80235810912dcf2a0b898afe4d09a94436823e7caeb5f"


def test_a_form_holds_only_what_was_given() -> None:
    fields = parse_qs(form(Submission("task-1.4", [ANNA, BEN], "csms1", "tpl", "unused")), strict_parsing=True)
    assert fields == {
        "from": ["csms1"],
        "to": ["+8613811112222,+8613911113333"],
        "templateId": ["tpl"],
        "extend": ["task-1.4"],
    }


def test_a_form_percent_encodes_everything() -> None:
    submission = Submission(
        "r&1",
        [ANNA],
        "csms1",
        "tpl",
        "",
        signature="华为云",
        receipts_url="https://a.b/c?d=e&f",
    )
    body = form(submission)
    assert body.isascii()
    fields = {name: values[0] for name, values in parse_qs(body, strict_parsing=True).items()}
    assert fields == {
        "from": "csms1",
        "to": "+8613811112222",
        "templateId": "tpl",
        "extend": "r&1",
        "signature": "华为云",
        "statusCallback": "https://a.b/c?d=e&f",
    }


@pytest.mark.parametrize("endpoint", ["", "smsapi.example.com", "ftp://a.b", "http://"])
def test_an_endpoint_that_is_no_address_is_refused_at_once(endpoint: str) -> None:
    with pytest.raises(ValueError, match="not an http"):
        make(endpoint=endpoint)


def test_each_number_gets_its_own_status_whatever_the_code() -> None:
    answer = read({"code": "E000510", "result": [result("+8613811112222"), result("+8613911113333", "E200025")]})
    assert answer.outcomes == {
        ANNA: Outcome(True, "000000", sms_id="id-1", segments=1),
        BEN: Outcome(False, "E200025"),
    }


@pytest.mark.parametrize(
    "origin", ["+8613811112222", "8613811112222", "13811112222", "008613811112222", " +8613811112222"]
)
def test_a_number_is_recognised_with_and_without_plus_and_country_code(origin: str) -> None:
    assert read({"code": "000000", "result": [result(origin)]}).outcomes.keys() == {ANNA}


def test_an_international_application_reads_no_number_as_mainland() -> None:
    answer = HttpAnswer(200, {}, json.dumps({"code": "000000", "result": [result("13105551234")]}).encode())
    assert make("international").read_answer(answer, [13105551234, 8613105551234]).outcomes.keys() == {13105551234}


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(result("+8613911110000"), id="a number that was not submitted"),
        pytest.param({"originTo": "+8613811112222"}, id="no status"),
        pytest.param(result("+8613811112222", "\x00"), id="an unprintable status"),
        pytest.param(result("") | {"originTo": ["+8613811112222"]}, id="a list for a number"),
        pytest.param("+8613811112222", id="no object"),
    ],
)
def test_an_entry_that_cannot_be_read_leaves_its_number_unknown(entry: object) -> None:
    assert read({"code": "000000", "result": [entry, result("+8613911113333")]}).outcomes.keys() == {BEN}


def test_a_number_once_accepted_stays_accepted_when_the_answer_refuses_its_duplicate() -> None:
    entries = [result("+8613811112222"), result("+8613811112222", "E200041")]
    for order in (entries, entries[::-1]):
        assert read({"code": "E000510", "result": order}).outcomes[ANNA].accepted


def test_a_code_that_is_not_listed_is_refused_and_kept_as_written() -> None:
    answer = read({"code": "E000510", "result": [result("+8613811112222", "E299999")]})
    assert answer.outcomes == {ANNA: Outcome(False, "E299999")}


@pytest.mark.parametrize(("total", "segments"), [(2, 2), ("3", 3), (None, None), (0, None), ("x", None), (True, None)])
def test_total_is_the_number_of_segments_where_it_is_one(total: object, segments: int | None) -> None:
    answer = read({"code": "000000", "result": [result("+8613811112222", total=total)]})
    assert answer.outcomes[ANNA].segments == segments


def test_a_full_queue_for_every_number_means_nothing_was_taken() -> None:
    body = {"code": "E000510", "result": [result("+8613811112222", "E200015"), result("+8613911113333", "E200015")]}
    with pytest.raises(NotTaken, match="E200015"):
        read(body)


@pytest.mark.parametrize(
    ("other", "outcomes"),
    [
        pytest.param([], {}, id="the other missing"),
        pytest.param(
            [result("+8613911113333")],
            {BEN: Outcome(True, "000000", sms_id="id-1", segments=1)},
            id="the other accepted",
        ),
    ],
)
def test_a_full_queue_for_some_numbers_means_that_those_were_not_taken(
    other: list[object], outcomes: dict[int, Outcome]
) -> None:
    answer = read({"code": "E000510", "result": [result("+8613811112222", "E200015"), *other]})
    assert answer.outcomes == outcomes
    assert {number: error.code for number, error in answer.not_taken.items()} == {ANNA: "E200015"}


SLOW: dict[str, Any] = {"code": "E200015", "description": "too many"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "error", "code"),
    [
        pytest.param(429, {}, b"", NotTaken, "http_429", id="429 without a body"),
        pytest.param(
            429, {}, {"error_code": "APIGW.0308", "error_msg": "x"}, NotTaken, "http_429", id="429 of the gateway"
        ),
        pytest.param(200, {}, SLOW, NotTaken, "E200015", id="slow down for the whole request"),
        pytest.param(400, {}, SLOW, NotTaken, "E200015", id="slow down at 400"),
        pytest.param(
            200, {}, {"code": "E000503", "description": "x"}, RequestRefused, "E000503", id="bad parameter at 200"
        ),
        pytest.param(
            400, {}, {"code": "E000503", "description": "x"}, RequestRefused, "E000503", id="bad parameter at 400"
        ),
        pytest.param(401, {}, {"code": "E000101"}, RequestRefused, "E000101", id="bad key"),
        pytest.param(403, {}, {"code": "E000620"}, RequestRefused, "E000620", id="address not allowed"),
        pytest.param(401, {}, {"error_code": "APIGW.0301"}, RequestRefused, "APIGW.0301", id="refused by the gateway"),
        pytest.param(200, {}, {"code": "E000510", "result": []}, RequestRefused, "E000510", id="failed with no status"),
        pytest.param(200, {}, {"code": "E999999"}, RequestRefused, "E999999", id="an unlisted code"),
        pytest.param(403, {}, b"<html>", Unanswered, "http_403", id="403 in HTML"),
        pytest.param(404, {}, b"", Unanswered, "http_404", id="a wrong path"),
        pytest.param(307, {}, b"", Unanswered, "http_307", id="a redirect, not followed"),
        pytest.param(303, {}, b"", Unanswered, "http_303", id="a redirect that may follow the work"),
        pytest.param(408, {}, b"", Unanswered, "http_408", id="408"),
        pytest.param(500, {}, b"", Unanswered, "http_500", id="500"),
        pytest.param(503, {}, {"code": "E000503"}, Unanswered, "http_503", id="503 with a code"),
        pytest.param(200, {}, b"<html>", Unanswered, "http_200", id="HTML at 200"),
        pytest.param(200, {}, b'{"code":"000000","resu', Unanswered, "http_200", id="half an answer"),
        pytest.param(200, {}, [1], Unanswered, "http_200", id="no object"),
        pytest.param(200, {}, {"code": 0}, Unanswered, "http_200", id="a number for a code"),
        pytest.param(200, {}, b"[" * 100_000, Unanswered, "http_200", id="nested without end"),
        pytest.param(200, {}, {"code": "000000"}, Unanswered, "no_result", id="accepted, but whom"),
    ],
)
def test_an_answer_without_numbers_says_what_it_can_say(
    status: int, headers: dict[str, str], body: object, error: type[CarrierError], code: str
) -> None:
    with pytest.raises(error) as raised:
        read(body, status, headers)
    assert (type(raised.value), raised.value.code) == (error, code)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("86400", 3600.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("²", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str, seconds: float | None) -> None:
    with pytest.raises(NotTaken) as raised:
        read(b"", 429, {"retry-after": value})
    assert raised.value.retry_after_seconds == seconds


@given(st.binary(), st.integers(200, 599))
def test_any_answer_is_read_or_is_one_of_three_errors(body: bytes, status: int) -> None:
    with suppress(NotTaken, RequestRefused, Unanswered):
        read(body, status)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("+8613811112222") | st.just("000000"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["code", "result", "originTo", "status", "total", "smsMsgId"]), inner)
    ),
)


@given(st.dictionaries(st.sampled_from(["code", "description", "result"]), JSON))
def test_any_json_answer_speaks_only_of_submitted_numbers(body: dict[str, object]) -> None:
    try:
        answer = read(body)
    except (NotTaken, RequestRefused, Unanswered):
        return
    assert answer.outcomes.keys() <= {ANNA, BEN}


def test_every_code_has_a_class_and_words_without_the_code_in_them() -> None:
    for code, (kind, text) in CODES.items():
        assert kind in get_args(CodeClass)
        assert code not in text
        assert text[0].islower()
        assert not text.endswith(".")


def test_only_one_code_is_accepted_and_only_one_is_tried_again() -> None:
    assert [code for code in CODES if CODES[code].kind == "accepted"] == ["000000"]
    assert [code for code in CODES if CODES[code].kind == "retryable"] == ["E200015"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("E000001", "refused_account"),
        ("E000025", "refused_account"),
        ("E000045", "refused_account"),
        ("E000101", "refused_account"),
        ("E000503", "refused_content"),
        ("E000620", "refused_account"),
        ("E000623", "quota_account"),
        ("E000629", "refused_account"),
        ("E200018", "refused_content"),
        ("E200023", "refused_content"),
        ("E200025", "refused_number"),
        ("E200028", "refused_content"),
        ("E200030", "refused_content"),
        ("E200041", "refused_number"),
    ],
)
def test_codes_fall_in_the_class_that_says_who_can_help(code: str, kind: str) -> None:
    assert CODES[code].kind == kind


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("E200030", "the template is not active"),
        ("UNDELIV", "could not be delivered"),
        ("MBBLACK", "the number is on a block list; the person may have unsubscribed or complained"),
        ("CA:0051", "CA:0051"),
    ],
)
def test_a_code_is_described_in_words_or_as_the_carrier_wrote_it(code: str, words: str) -> None:
    assert describe(code) == words


def test_the_published_status_report_is_read() -> None:
    body = (
        b"sequence=1&total=1&orgCode=000&updateTime=2018-04-13T06%3A31%3A46Z&source=2"
        b"&smsMsgId=b9d9b4fe-ad0e-4a2a-a2c7-445505b674ac_6&status=DELIVRD"
    )
    assert receipts(body) == [
        Receipt(
            status="delivered",
            code="DELIVRD",
            sms_id="b9d9b4fe-ad0e-4a2a-a2c7-445505b674ac_6",
            at=datetime(2018, 4, 13, 6, 31, 46, tzinfo=UTC),
        )
    ]


def test_a_report_with_extend_names_the_number_and_the_reference() -> None:
    body = urlencode(
        {
            "sequence": "2",
            "total": "3",
            "smsMsgId": "a_1",
            "status": "UNDELIV",
            "extend": "task-1.4",
            "to": "+8613811112222",
        }
    )
    assert receipts(body.encode()) == [
        Receipt("failed", "UNDELIV", "a_1", reference="task-1.4", number=ANNA, sequence=2, total=3)
    ]


def test_of_a_pushed_list_what_can_be_read_is_and_the_rest_is_told() -> None:
    reports = [
        {"smsMsgId": "a_1", "status": "DELIVRD", "sequence": 1, "total": 1},
        {"smsMsgId": "a_2"},
        7,
        {"smsMsgId": "a_3", "status": "E200025", "sequence": "1", "total": "2"},
    ]
    with pytest.raises(UnreadableReceipts, match="2 of 4 reports, a report without") as raised:
        receipts(json.dumps({"statusReportList": reports}).encode())
    read_ones = raised.value.receipts
    assert [(one.sms_id, one.status, one.total) for one in read_ones] == [("a_1", "delivered", 1), ("a_3", "failed", 2)]
    assert json.loads(raised.value.rest) == [{"smsMsgId": "a_2"}, 7]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("DELIVRD", "delivered"),
        ("ACCEPTD", "pending"),
        ("EXPIRED", "failed"),
        ("UNKNOWN", "failed"),
        ("CA:0051", "failed"),
    ],
)
def test_every_status_but_two_is_a_final_failure(code: str, status: str) -> None:
    assert receipts(urlencode({"smsMsgId": "a", "status": code}).encode())[0].status == status


@pytest.mark.parametrize(
    ("to", "region", "number"),
    [
        ("+8613811112222", "mainland", ANNA),
        ("8613811112222", "mainland", ANNA),
        ("13811112222", "mainland", ANNA),
        ("13105551234", "international", 13105551234),
        ("+85261234567", "international", 85261234567),
        ("", "mainland", None),
        ("abc", "mainland", None),
        ("1" * 16, "mainland", None),
    ],
)
def test_a_receipts_number_is_read_as_the_applications_region_has_it(to: str, region: str, number: int | None) -> None:
    assert receipts(urlencode({"smsMsgId": "a", "status": "DELIVRD", "to": to}).encode(), region)[0].number == number


@pytest.mark.parametrize("at", ["", "yesterday", "2018-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_cannot_be_read_does_not_cost_the_receipt(at: str) -> None:
    assert receipts(urlencode({"smsMsgId": "a", "status": "DELIVRD", "updateTime": at}).encode())[0].at is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"status=DELIVRD", id="no SMS ID"),
        pytest.param(b"smsMsgId=a", id="no status"),
        pytest.param(b"smsMsgId=a%00&status=DELIVRD", id="a NUL"),
        pytest.param(b"smsMsgId=a&status=DELIVRD&sequence=x", id="a sequence that is no number"),
        pytest.param(b"smsMsgId=a&status=DELIVRD&sequence=3&total=2", id="part 3 of 2"),
        pytest.param(b"smsMsgId=a&status=" + b"D" * 200, id="a status too long"),
        pytest.param(b"a=1&" * 65, id="too many fields"),
        pytest.param(b"{}", id="no list"),
        pytest.param(b'{"statusReportList":[]}', id="an empty list"),
        pytest.param(b'{"statusReportList":[{}', id="half a list"),
        pytest.param(b'{"a":' * 100_000, id="nested without end"),
        pytest.param(b'{"statusReportList":[{"smsMsgId":"\\ud800","status":"DELIVRD"}]}', id="half a character"),
        pytest.param(json.dumps({"statusReportList": [{}] * 1001}).encode(), id="a list too long"),
    ],
)
def test_a_body_that_is_no_report_is_said_to_be_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableReceipts):
        receipts(body)


@given(
    st.binary()
    | st.binary().map(lambda tail: b"smsMsgId=a&status=DELIVRD&" + tail)
    | JSON.map(lambda value: json.dumps({"statusReportList": [value]}).encode())
)
def test_any_body_is_read_or_unreadable_and_what_is_read_can_be_stored(body: bytes) -> None:
    try:
        found = receipts(body)
    except UnreadableReceipts as error:
        found = [*error.receipts]
    for receipt in found:
        for text in (receipt.sms_id, receipt.code, receipt.reference or "x"):
            assert text.encode()
            assert "\x00" not in text
        assert 1 <= receipt.sequence <= receipt.total


def test_the_answer_to_receipts_is_a_plain_200() -> None:
    assert make().receipts_answer().status == 200


def reply(**changes: str) -> Reply:
    fields = {"smsMsgId": "up-1", "from": "+8613811112222", "to": "1069", "body": "退订"} | changes
    (read_one,) = make().read_replies(ReceiptsRequest("POST", {}, {}, urlencode(fields).encode()))
    return read_one


def test_a_reply_is_read_with_its_time_where_it_has_one() -> None:
    assert reply() == Reply(ANNA, "退订", "up-1")
    assert reply(createTime="2026-11-21T12:00:00Z").at == NOON
    assert reply(**{"from": "13811112222"}).number == ANNA


@pytest.mark.parametrize("changes", [{"smsMsgId": ""}, {"from": "shop"}, {"from": ""}])
def test_a_body_that_is_no_reply_is_said_to_be_unreadable(changes: dict[str, str]) -> None:
    with pytest.raises(UnreadableReceipts):
        reply(**changes)


@given(
    st.dictionaries(st.integers(8613800000000, 8613800000999), st.sampled_from(["a", "字" * 300, "x" * 9000, ""])),
    st.sampled_from(["", "华为云"]),
)
def test_values_are_split_under_the_limit_and_nobody_is_lost(values: dict[int, str], signature: str) -> None:
    submission = Submission(
        "r", list(values), "csms1", "tpl", "", signature, values={number: (value,) for number, value in values.items()}
    )
    requests = diff_requests(submission)
    got: dict[int, str] = {}
    for numbers, body in requests:
        content = json.loads(body)["smsContent"]
        written = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(written) <= huawei.MAX_CONTENT_BYTES or len(content) == 1
        in_it = {int(to): entry["templateParas"][0] for entry in content for to in entry["to"]}
        assert in_it.keys() == set(numbers)
        assert not got.keys() & in_it.keys()
        got |= in_it
        # Equal values share an entry.
        assert len({entry["templateParas"][0] for entry in content}) == len(content)
        assert {entry.get("signature", "") for entry in content} <= {signature}
    assert got == values
