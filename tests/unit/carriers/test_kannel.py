"""Requests, answers and reports of `services/carriers/kannel.py`; a real Kannel is in tests/e2e."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import get_args
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.carriers.http import Http, HttpAnswer
from services.carriers.kannel import CODES, Kannel, describe
from services.carriers.ports import CodeClass, Outcome, Receipt, ReceiptsRequest, Reply, Submission, UnreadableReceipts
from services.errors import CarrierError, NotTaken, RequestRefused, Unanswered

ANNA = 8613811112222
DENIED = "Number(s) has/have been denied by white- and/or black-lists."
REPORT = {"ref": "42.7", "type": "1", "to": "+8613811112222", "at": "1795262400", "id": "op-1", "answer": ""}


class Now:
    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


async def at_once() -> None:
    """No rate to keep."""


def make(max_messages: int = 1, http: Http | None = None, sender: str = "10690000", smsc: str | None = None) -> Kannel:
    return Kannel(
        url="http://127.0.0.1:9/cgi-bin/sendsms",
        username="u&1",
        password="p+2 ",
        http=http or Http(),
        clock=Now(),
        pace=at_once,
        sender=sender,
        smsc=smsc,
        max_messages=max_messages,
    )


def sent(text: str, sender: str = "", receipts_url: str | None = None, made: Kannel | None = None) -> dict[str, str]:
    submission = Submission("42.7", [ANNA], sender, "", text, receipts_url=receipts_url)
    url = (made or make())._request(submission, ANNA)
    assert url.isascii()
    assert "+" not in url
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def read(status: int, body: bytes) -> Outcome:
    return make().read_answer(HttpAnswer(status, {}, body))


def receipts(**query: str) -> list[Receipt]:
    return list(make().read_receipts(ReceiptsRequest("GET", {}, REPORT | query, b"")))


@pytest.mark.parametrize(
    ("text", "coding"),
    [
        ("Hello + {x} €~[]", "0"),
        ("crêpe", "2"),
        ("à è é ì ò ù ñ Ç", "0"),
        ("您好abc", "2"),
        ("see you 🌱", "2"),
        ("a`b", "2"),
        ("10–12", "2"),
    ],
)
def test_coding_2_is_used_where_the_gsm_alphabet_does_not_do(text: str, coding: str) -> None:
    fields = sent(text)
    assert (fields["coding"], fields["charset"], fields["text"]) == (coding, "UTF-8", text)


def test_everything_is_percent_encoded() -> None:
    fields = sent("50% + a&b=c", made=make(smsc="OP 1"))
    assert fields == {
        "username": "u&1",
        "password": "p+2 ",
        "from": "10690000",
        "to": "+8613811112222",
        "text": "50% + a&b=c",
        "charset": "UTF-8",
        "coding": "0",
        "smsc": "OP 1",
    }


def test_a_signatures_number_goes_before_the_applications() -> None:
    assert sent("x", sender="10691111")["from"] == "10691111"
    assert "from" not in sent("x", made=make(sender=""))


def test_reports_are_asked_for_with_what_kannel_is_to_fill_in() -> None:
    fields = sent("x", receipts_url="https://sms.example.com/receipts/1/t")
    assert fields["dlr-mask"] == "27"
    assert fields["dlr-url"] == ("https://sms.example.com/receipts/1/t?ref=42.7&type=%d&to=%p&at=%T&id=%F&answer=%A")


@pytest.mark.parametrize(
    ("text", "max_messages", "leaves"),
    [
        ("a" * 160, 1, True),
        ("a" * 161, 1, False),
        ("字" * 70, 1, True),
        ("字" * 71, 1, False),
        ("a" * 459, 3, True),
        ("a" * 460, 3, False),
        ("字" * 201, 3, True),
        ("字" * 202, 3, False),
    ],
)
async def test_a_text_of_more_segments_than_kannel_sends_is_refused_before_it_leaves(
    text: str, max_messages: int, leaves: bool
) -> None:
    # Nobody listens there: what leaves finds that out.
    http = Http()
    with pytest.raises(NotTaken if leaves else RequestRefused) as raised:
        await make(max_messages, http).submit(Submission("1.1", [ANNA], "", "", text))
    await http.close()
    assert (raised.value.code == "text_too_long") is not leaves
    assert "p+2" not in unquote(f"{raised.value!r} {raised.value.__cause__}")


@pytest.mark.parametrize(
    ("body", "code"), [(b"0: Accepted for delivery", "0"), (b"3: Queued for later delivery\n", "3")]
)
def test_a_number_is_accepted_also_when_it_waits_in_kannel(body: bytes, code: str) -> None:
    assert read(202, body) == Outcome(True, code)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        pytest.param(
            403,
            b"Authorization failed for sendsms",
            RequestRefused,
            "Authorization failed for sendsms",
            id="credentials",
        ),
        pytest.param(
            400,
            b"DLR-Mask field misformed, rejected",
            RequestRefused,
            "DLR-Mask field misformed, rejected",
            id="reports it does not know",
        ),
        pytest.param(404, b"", Unanswered, "http_404", id="another address"),
        pytest.param(404, b"<html>Not found</html>", Unanswered, "http_404", id="another server"),
        pytest.param(404, b"404: Not Found", Unanswered, "http_404", id="another server, in plain text"),
        pytest.param(403, b"Forbidden", Unanswered, "http_403", id="a proxy"),
        pytest.param(301, b"", Unanswered, "http_301", id="a redirect, not followed"),
        pytest.param(503, b"Temporal failure, try again later.", NotTaken, "http_503", id="slow down"),
        pytest.param(429, b"", NotTaken, "http_429", id="429 of a proxy"),
        pytest.param(500, b"Internal error", Unanswered, "http_500", id="500"),
        pytest.param(202, b"", Unanswered, "http_202", id="an empty answer"),
        pytest.param(202, b"7: Sent somewhere", Unanswered, "http_202", id="a number that is not known"),
        pytest.param(200, b"<html>Welcome</html>", Unanswered, "http_200", id="HTML"),
        pytest.param(202, DENIED.encode(), Unanswered, "http_202", id="a refusal at 202"),
        pytest.param(400, b"\x00", Unanswered, "http_400", id="no text"),
    ],
)
def test_an_answer_that_is_no_outcome_says_what_it_can_say(
    status: int, body: bytes, kind: type[CarrierError], code: str
) -> None:
    with pytest.raises(kind) as raised:
        read(status, body)
    assert (type(raised.value), raised.value.code) == (kind, code)


@pytest.mark.parametrize("line", [DENIED, "Missing receiver number, rejected", "Something new, rejected"])
def test_a_refusal_is_the_numbers_own_and_kept_as_kannel_wrote_it(line: str) -> None:
    assert read(400, line.encode()) == Outcome(False, line)


@given(st.binary(), st.integers(200, 599))
def test_any_answer_is_read_or_is_one_of_three_errors(body: bytes, status: int) -> None:
    with suppress(NotTaken, RequestRefused, Unanswered):
        read(status, body)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("1", "delivered", "DELIVRD"),
        ("2", "failed", "UNDELIV"),
        ("4", "pending", "BUFFRED"),
        ("8", "pending", "ACCEPTD"),
        ("16", "failed", "REJECTD"),
        ("32", "pending", "ENROUTE"),
    ],
)
def test_each_type_of_report_is_final_or_not(kind: str, status: str, code: str) -> None:
    assert receipts(type=kind) == [
        Receipt(
            status=status,  # type: ignore[arg-type] # the table's words
            code=code,
            sms_id="op-1",
            reference="42.7",
            number=ANNA,
            at=datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC),
        )
    ]


def test_the_operators_own_word_goes_before_kannels_type() -> None:
    answer = "id:7 sub:001 dlvrd:000 submit date:2611211200 done date:2611211201 stat:EXPIRED err:027 text:"
    (receipt,) = receipts(type="2", answer=answer)
    assert (receipt.status, receipt.code) == ("failed", "EXPIRED")


def test_a_report_without_the_operators_id_has_one_of_ours() -> None:
    assert receipts(id="")[0].sms_id == "42.7.8613811112222"
    assert receipts(id="a\x00")[0].sms_id == "42.7.8613811112222"


@pytest.mark.parametrize(
    ("to", "number"), [("+8613811112222", ANNA), ("8613811112222", ANNA), (" 8613811112222", ANNA)]
)
def test_the_recipient_is_read_with_and_without_its_plus(to: str, number: int) -> None:
    assert receipts(to=to)[0].number == number


@pytest.mark.parametrize("at", ["", "soon", "1" * 12, "²"])
def test_a_time_that_cannot_be_read_does_not_cost_the_receipt(at: str) -> None:
    assert receipts(at=at)[0].at is None


@pytest.mark.parametrize(
    "changes",
    [{"type": ""}, {"type": "3"}, {"type": "%d"}, {"to": ""}, {"to": "%p"}, {"to": "1" * 16}, {"ref": ""}, {"to": "²"}],
    ids=str,
)
def test_a_query_that_is_no_report_is_said_to_be_unreadable(changes: dict[str, str]) -> None:
    with pytest.raises(UnreadableReceipts):
        receipts(**changes)


@given(st.dictionaries(st.sampled_from(list(REPORT)), st.text(max_size=12)))
def test_any_query_is_read_or_unreadable_and_what_is_read_can_be_stored(changes: dict[str, str]) -> None:
    try:
        found = receipts(**changes)
    except UnreadableReceipts:
        return
    for receipt in found:
        for text in (receipt.sms_id, receipt.code, receipt.reference or ""):
            assert text.encode()
            assert "\x00" not in text


def test_an_address_that_is_none_is_refused_without_telling_it() -> None:
    with pytest.raises(ValueError, match=r"^not an http"):
        Kannel(url="kannel/?password=x", username="u", password="p", http=Http(), clock=Now(), pace=at_once)


def test_every_code_has_a_class_and_words_without_the_code_in_them() -> None:
    for code, (kind, text) in CODES.items():
        assert kind in get_args(CodeClass)
        assert code not in text
        assert not text.endswith(".")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (DENIED, "Kannel's white-list or black-list does not let the number through"),
        ("EXPIRED", "not delivered in time; the phone may have been off"),
        ("XYZ", "XYZ"),
    ],
)
def test_a_code_is_described_in_words_or_as_it_was_written(code: str, words: str) -> None:
    assert describe(code) == words


def reply(query: str) -> Reply:
    (read_one,) = make().read_replies(ReceiptsRequest("GET", {}, {}, b"", f"http://bot/replies/1/x?{query}"))
    return read_one


@pytest.mark.parametrize(
    ("query", "text"),
    [
        pytest.param("text=STOP&charset=UTF-8&coding=0", "STOP", id="plain"),
        pytest.param("text=%E9%80%80%E8%AE%A2&charset=UTF-8&coding=0", "退订", id="UTF-8"),
        pytest.param("text=%90%00%8B%A2&charset=UTF-16BE&coding=2", "退订", id="UTF-16"),
        pytest.param("text=%D8%3C%DF%31&charset=UTF-16BE&coding=2", "🌱", id="an emoji"),
        pytest.param("text=%E9&charset=ISO-8859-1&coding=0", "é", id="Latin-1"),
        pytest.param("text=a%2Bb+c&charset=UTF-8", "a+b c", id="plus and space"),
        pytest.param("text=", "", id="nothing"),
    ],
)
def test_a_reply_is_read_in_the_coding_that_it_names(query: str, text: str) -> None:
    read_one = reply(f"from=%2B8613811112222&to=10690000&{query}&ts=1795262400&id=mo-1")
    assert read_one == Reply(ANNA, text, "mo-1", datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="nothing"),
        pytest.param("text=STOP", id="no number"),
        pytest.param("from=shop&text=STOP", id="a name for a number"),
        pytest.param("from=8613811112222&text=%FF%FE&charset=UTF-8", id="no UTF-8"),
        pytest.param("from=8613811112222&text=abc&coding=2", id="half a character"),
        pytest.param("from=8613811112222&text=a&charset=KOI-9", id="a charset nobody knows"),
        pytest.param("&".join(["a=1"] * 65), id="too many fields"),
    ],
)
def test_a_query_that_is_no_reply_is_said_to_be_unreadable(query: str) -> None:
    with pytest.raises(UnreadableReceipts):
        reply(query)


async def test_a_text_of_its_own_that_kannel_would_cut_is_refused_for_its_number_alone() -> None:
    http = Http()
    submission = Submission("1", [ANNA], "", "", "", values={ANNA: ("x",)}, texts={ANNA: "字" * 71})
    answer = await make(http=http).submit(submission)
    assert answer.outcomes == {ANNA: Outcome(False, "text_too_long")}
    await http.close()
