"""Signing, codes and receipts of `services/carriers/tencent.py`; its requests are in tests/contract."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from datetime import UTC, datetime
from importlib import resources
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.carriers import tencent
from services.carriers.http import Http, HttpAnswer
from services.carriers.ports import Answer, CodeClass, Outcome, Receipt, ReceiptsRequest, Reply, UnreadableReceipts
from services.carriers.tencent import CODES, Tencent, authorization, describe
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered

ANNA, BEN = 8613811112222, 8613911113333
# The SDK's own json.dumps.
BODY_B = json.dumps(
    {
        "PhoneNumberSet": ["+8618511122233"],
        "SmsSdkAppId": "1400006666",
        "TemplateId": "449739",
        "SignName": "腾讯云",
        "TemplateParamSet": ["张三", "8"],
        "SessionContext": "task-1",
    }
).encode()


class Now:
    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


async def at_once() -> None:
    """No rate to keep."""


def make(endpoint: str = tencent.ENDPOINT) -> Tencent:
    return Tencent(
        secret_id="AKID1",
        secret_key="key",
        sdk_app_id="14",
        http=Http(),
        clock=Now(),
        pace=at_once,
        endpoint=endpoint,
    )


def read(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make().read_answer(HttpAnswer(status, headers or {}, raw), (ANNA, BEN))


def answer(*statuses: dict[str, object]) -> dict[str, object]:
    return {"Response": {"SendStatusSet": list(statuses), "RequestId": "r-1"}}


def error(code: str, message: str = "why") -> dict[str, object]:
    return {"Response": {"Error": {"Code": code, "Message": message}, "RequestId": "r-1"}}


def status(number: int | str, code: str = "Ok", **more: object) -> dict[str, object]:
    written = number if isinstance(number, str) else f"+{number}"
    return {"SerialNo": "5000:1", "PhoneNumber": written, "Fee": 1, "Code": code, "Message": "m"} | more


def receipts(body: object) -> list[Receipt]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(make().read_receipts(ReceiptsRequest("POST", {}, {}, raw)))


REPORT: dict[str, object] = {
    "user_receive_time": "2024-05-01 10:00:03",
    "nationcode": "86",
    "mobile": "13811112222",
    "report_status": "SUCCESS",
    "errmsg": "DELIVRD",
    "description": "ok",
    "sid": "2019:0123456789",
}


def test_the_published_signature_is_reproduced() -> None:
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    assert authorization(
        "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
        "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
        service="cvm",
        host="cvm.tencentcloudapi.com",
        content_type="application/json; charset=utf-8",
        body=body,
        at=1551113065,
    ) == (
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host, "
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


@pytest.mark.parametrize(
    ("host", "signature"),
    [
        ("sms.tencentcloudapi.com", "8c679b7d8625187f24926de538b2e005a4f6b0147802fed9b461edd0fa7f4523"),
        ("sms.intl.tencentcloudapi.com", "6949703b7033647a36dc7e893a3ee48527069d6f91ca913f8d320bad760a247d"),
    ],
)
def test_the_signature_the_vendors_sdk_puts_on_send_sms_is_reproduced(host: str, signature: str) -> None:
    made = authorization(
        "AKIDEXAMPLE",
        "SECRETEXAMPLE",
        service="sms",
        host=host,
        content_type="application/json",
        body=BODY_B,
        at=1700000000,
    )
    assert made == (
        "TC3-HMAC-SHA256 Credential=AKIDEXAMPLE/2023-11-14/sms/tc3_request, "
        f"SignedHeaders=content-type;host, Signature={signature}"
    )


@pytest.mark.parametrize("endpoint", ["", "sms.tencentcloudapi.com", "ftp://a.b", "http://"])
def test_an_endpoint_that_is_no_address_is_refused_at_once(endpoint: str) -> None:
    with pytest.raises(ValueError, match="not an http"):
        make(endpoint)


def test_each_number_has_its_own_status_in_any_order() -> None:
    found = read(answer(status(BEN, "FailedOperation.PhoneNumberInBlacklist", SerialNo="", Fee=0), status(ANNA, Fee=3)))
    assert found.outcomes == {
        ANNA: Outcome(True, "Ok", sms_id="5000:1", segments=3),
        BEN: Outcome(False, "FailedOperation.PhoneNumberInBlacklist"),
    }
    assert found.not_taken == {}


def test_a_number_the_answer_does_not_name_is_unknown() -> None:
    assert read(answer(status(ANNA))).outcomes.keys() == {ANNA}


@pytest.mark.parametrize(
    "code", ["InternalError.Timeout", "InternalError.OtherError", "InternalError", "InternalError.SomethingNew"]
)
def test_the_platforms_own_trouble_leaves_a_number_unknown(code: str) -> None:
    found = read(answer(status(ANNA), status(BEN, code)))
    assert found.outcomes.keys() == {ANNA}
    assert found.not_taken == {}


def test_a_number_over_the_rate_was_not_taken() -> None:
    code = "LimitExceeded.GlobalSmsSendingRateLimit"
    found = read(answer(status(ANNA), status(BEN, code)))
    assert found.outcomes.keys() == {ANNA}
    assert {number: trouble.code for number, trouble in found.not_taken.items()} == {BEN: code}
    with pytest.raises(NotTaken, match=code):
        read(answer(status(ANNA, code), status(BEN, code)))


@pytest.mark.parametrize(
    ("entry"),
    [
        pytest.param(status("+8613911110000"), id="a number that was not submitted"),
        pytest.param({"PhoneNumber": f"+{ANNA}"}, id="no code"),
        pytest.param(status(ANNA, "\x00"), id="an unprintable code"),
        pytest.param(status(ANNA) | {"PhoneNumber": [ANNA]}, id="a list for a number"),
        pytest.param(7, id="no object"),
    ],
)
def test_an_entry_that_cannot_be_read_leaves_its_number_unknown(entry: object) -> None:
    assert read({"Response": {"SendStatusSet": [entry, status(BEN)]}}).outcomes.keys() == {BEN}


def test_a_code_that_is_not_listed_is_refused_and_kept_as_written() -> None:
    assert read(answer(status(ANNA, "LimitExceeded.New"))).outcomes == {ANNA: Outcome(False, "LimitExceeded.New")}


@pytest.mark.parametrize(
    ("http_status", "body", "kind", "code"),
    [
        pytest.param(
            200, error("AuthFailure.SignatureFailure"), RequestRefused, "AuthFailure.SignatureFailure", id="key"
        ),
        pytest.param(200, error("RequestLimitExceeded"), NotTaken, "RequestLimitExceeded", id="slow down"),
        pytest.param(
            200,
            error("RequestLimitExceeded.UinLimitExceeded"),
            NotTaken,
            "RequestLimitExceeded.UinLimitExceeded",
            id="slow down, account",
        ),
        pytest.param(200, error("InternalError"), Unanswered, "InternalError", id="internal"),
        pytest.param(200, error("InternalError.Timeout"), Unanswered, "InternalError.Timeout", id="timeout"),
        pytest.param(200, error("InternalError.New"), Unanswered, "InternalError.New", id="internal, unlisted"),
        pytest.param(
            200,
            error("InternalError.SigVerificationFail"),
            RequestRefused,
            "InternalError.SigVerificationFail",
            id="internal, but the keys",
        ),
        pytest.param(200, error("InvalidParameter.New"), RequestRefused, "InvalidParameter.New", id="unlisted"),
        pytest.param(200, error(""), Unanswered, "no_code", id="an error without a code"),
        pytest.param(200, {"Response": {"RequestId": "r"}}, Unanswered, "http_200", id="neither"),
        pytest.param(200, {"Response": {"SendStatusSet": []}}, Unanswered, "no_status", id="no number"),
        pytest.param(200, b"<html>", Unanswered, "http_200", id="HTML"),
        pytest.param(200, b'{"Response":{"Send', Unanswered, "http_200", id="half"),
        pytest.param(200, [1], Unanswered, "http_200", id="no object"),
        pytest.param(200, b"[" * 100_000, Unanswered, "http_200", id="nested without end"),
        pytest.param(429, b"", NotTaken, "http_429", id="429"),
        pytest.param(403, b"<html>", Unanswered, "http_403", id="403"),
        pytest.param(500, b"", Unanswered, "http_500", id="500"),
        pytest.param(503, error("AuthFailure.SignatureFailure"), Unanswered, "http_503", id="503 with a code"),
    ],
)
def test_an_answer_without_numbers_says_what_it_can_say(
    http_status: int, body: object, kind: type[CarrierError], code: str
) -> None:
    with pytest.raises(kind) as raised:
        read(body, http_status)
    assert (type(raised.value), raised.value.code) == (kind, code)


def test_a_refusal_that_is_not_listed_says_what_tencent_said() -> None:
    with pytest.raises(RequestRefused, match="the sky fell"):
        read(error("InvalidParameter.New", "the sky fell"))


@given(st.binary(), st.integers(200, 599))
def test_any_answer_is_read_or_is_one_of_three_errors(body: bytes, http_status: int) -> None:
    with suppress(NotTaken, RequestRefused, Unanswered):
        read(body, http_status)


WORDS = st.sampled_from(["Response", "Error", "SendStatusSet", "Code", "Message", "PhoneNumber", "SerialNo", "Fee"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from([f"+{ANNA}", "Ok"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
)


@given(JSON)
def test_any_json_answer_speaks_only_of_submitted_numbers(inner: object) -> None:
    try:
        found = read({"Response": inner})
    except (NotTaken, RequestRefused, Unanswered):
        return
    assert found.outcomes.keys() | found.not_taken.keys() <= {ANNA, BEN}


def test_every_code_has_a_class_and_words_without_the_code_in_them() -> None:
    for code, (kind, text) in CODES.items():
        assert kind in get_args(CodeClass)
        assert code not in text
        assert text[0].islower()
        assert not text.endswith(".")


def test_what_is_tried_again_and_what_nobody_knows_is_told_from_every_refusal() -> None:
    assert {code for code in CODES if CODES[code].kind == "accepted"} == {"Ok"}
    assert {code.split(".")[0] for code in CODES if CODES[code].kind == "unknown"} == {"InternalError"}
    assert {code for code in CODES if CODES[code].kind == "retryable"} == {
        "RequestLimitExceeded",
        "RequestLimitExceeded.UinLimitExceeded",
        "RequestLimitExceeded.IPLimitExceeded",
        "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
        "LimitExceeded.GlobalSmsSendingRateLimit",
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("FailedOperation.PhoneNumberInBlacklist", "refused_number"),
        ("InvalidParameterValue.IncorrectPhoneNumber", "refused_number"),
        ("FailedOperation.ContainSensitiveWord", "refused_content"),
        ("FailedOperation.SignatureIncorrectOrUnapproved", "refused_content"),
        ("FailedOperation.InsufficientBalanceInSmsPackage", "refused_account"),
        ("UnauthorizedOperation.RequestIpNotInWhitelist", "refused_account"),
        ("LimitExceeded.PhoneNumberDailyLimit", "quota"),
        ("FailedOperation.MarketingSendTimeConstraint", "refused_hour"),
        ("LimitExceeded.AppDailyLimit", "quota_account"),
        ("AuthFailure.SignatureExpire", "refused_account"),
    ],
)
def test_codes_fall_in_the_class_that_says_who_can_help(code: str, kind: str) -> None:
    assert CODES[code].kind == kind


def test_every_receipt_code_of_the_list_has_words() -> None:
    table = resources.files("services.carriers").joinpath("tencent_receipt_codes.csv").read_text("utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    assert len(rows) == len({row["code"] for row in rows}) == 1968
    assert all(describe(row["code"]) != row["code"] for row in rows)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("FailedOperation.PhoneNumberInBlacklist", "the number is on a block list; the person may have unsubscribed"),
        ("DELIVRD", "delivered"),
        ("TSBLACK", "the number is on a block list; the person may have unsubscribed or complained"),
        ("-106", "the text is not let through"),
        ("QQ:9999", "QQ:9999"),
    ],
)
def test_a_code_is_described_in_words_or_as_it_was_written(code: str, words: str) -> None:
    assert describe(code) == words


def test_a_report_is_read_with_chinas_time() -> None:
    assert receipts([REPORT]) == [
        Receipt(
            status="delivered",
            code="DELIVRD",
            sms_id="2019:0123456789",
            number=ANNA,
            at=datetime(2024, 5, 1, 2, 0, 3, tzinfo=UTC),
        )
    ]


def test_a_report_holds_our_reference_where_tencent_echoes_it() -> None:
    assert receipts([REPORT | {"ext": "task-1"}])[0].reference == "task-1"
    assert receipts([REPORT | {"ext": ""}])[0].reference is None


def test_a_failure_is_told_with_the_operators_code() -> None:
    (failed,) = receipts([REPORT | {"report_status": "FAIL", "errmsg": "MX:0012"}])
    assert (failed.status, failed.code) == ("failed", "MX:0012")


def test_of_a_push_what_can_be_read_is_and_the_rest_is_told() -> None:
    pushed = [REPORT | {"sid": f"s{n}"} for n in range(3)]
    bad = [7, pushed[1] | {"report_status": "LATER"}, {"sid": "\ud800"}]
    with pytest.raises(UnreadableReceipts, match="3 of 5 reports, a report without") as raised:
        receipts([pushed[0], *bad, pushed[2]])
    assert [each.sms_id for each in raised.value.receipts] == ["s0", "s2"]
    assert json.loads(raised.value.rest) == [*bad[:2], {"sid": "?"}]


@pytest.mark.parametrize(
    ("nationcode", "mobile", "number"),
    [("86", "13811112222", ANNA), ("+852", "61234567", 85261234567), (1, 2025550123, 12025550123)],
)
def test_the_number_is_country_code_and_subscriber(nationcode: object, mobile: object, number: int) -> None:
    assert receipts([REPORT | {"nationcode": nationcode, "mobile": mobile}])[0].number == number


@pytest.mark.parametrize("at", ["", "yesterday", "2018-13-01 00:00:00", 7, "0001-01-01 00:00:00"])
def test_a_time_that_cannot_be_read_does_not_cost_the_receipt(at: object) -> None:
    assert receipts([REPORT | {"user_receive_time": at}])[0].at is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half"),
        pytest.param({"extend": "1", "mobile": "138", "text": "T"}, id="a reply, not a report"),
        pytest.param([], id="an empty list"),
        pytest.param([{}], id="an empty report"),
        pytest.param([REPORT | {"mobile": "", "ext": "42.7"}], id="no number, by which alone a message is found"),
        pytest.param([REPORT | {"sid": "a\x00"}], id="a NUL"),
        pytest.param([REPORT | {"sid": "\ud800"}], id="half a character"),
        pytest.param([REPORT] * 1001, id="a list too long"),
        pytest.param(b"[" * 100_000, id="nested without end"),
    ],
)
def test_a_body_that_is_no_report_is_said_to_be_unreadable(body: object) -> None:
    with pytest.raises(UnreadableReceipts):
        receipts(body)


@given(
    st.binary()
    | st.lists(
        st.dictionaries(
            st.sampled_from([*REPORT, "ext"]), st.text(max_size=9) | st.integers() | st.sampled_from(["SUCCESS"])
        ).map(lambda report: REPORT | report)
    )
)
def test_any_body_is_read_or_unreadable_and_what_is_read_can_be_stored(body: object) -> None:
    try:
        found = receipts(body)
    except UnreadableReceipts as error:
        found = [*error.receipts]
    for receipt in found:
        for text in (receipt.sms_id, receipt.code, receipt.reference or "x"):
            assert text.encode()
            assert "\x00" not in text
        assert receipt.number is not None
        assert 0 <= receipt.number < 10**15


def test_the_answer_to_receipts_is_the_one_tencent_waits_for() -> None:
    said = make().receipts_answer()
    assert (said.status, json.loads(said.body)) == (200, {"result": 0, "errmsg": "OK"})


def reply(body: object) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    (read_one,) = make().read_replies(ReceiptsRequest("POST", {}, {}, raw))
    return read_one


ANSWER: dict[str, object] = {
    "extend": "",
    "mobile": "13811112222",
    "nationcode": "86",
    "sign": "",
    "text": "退订",
    "time": 1795262400,
}


def test_a_reply_is_read() -> None:
    assert reply(ANSWER) == Reply(ANNA, "退订", at=datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC))


@pytest.mark.parametrize("time", ["", None, -1, 10**30, True, "soon"])
def test_a_time_of_a_reply_that_cannot_be_read_does_not_cost_it(time: object) -> None:
    assert reply(ANSWER | {"time": time}).at is None


@pytest.mark.parametrize(
    "body", [b"", b"{", [], [ANSWER], ANSWER | {"text": 7}, ANSWER | {"mobile": ""}, {"text": "T"}, b"[" * 100_000]
)
def test_a_body_that_is_no_reply_is_said_to_be_unreadable(body: object) -> None:
    with pytest.raises(UnreadableReceipts):
        reply(body)
