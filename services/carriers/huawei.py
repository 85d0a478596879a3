"""Huawei Cloud Message & SMS: batchSendSms and batchSendDiffSms v1, status reports and what people answer.

Written from the API reference at support.huaweicloud.com/api-msgsms, pages sms_05_0001 (batchSendSms), 0002
(batchSendDiffSms), 0003 (status reports), 0004 (upstream SMS) and 0046 (authentication), as of August 2024.

Limits, from pages 0001 and 0002: 500 numbers in a request, 21,999 characters of `to`, 64 KB of `smsContent`; `extend` 1
to 128 characters, `from` 21. A template holds 500 characters, signature included. Huawei pushes each status report once
and never again, and makes an EXPIRED of a message that has no final report after 72 hours.

An answer has one `code`, and one `status` per number; both are checked. A number whose status is E200015 (the
platform's queue is full) was not taken; where all are, the request is NotTaken. Numbers with values of their own go by
batchSendDiffSms, where those with equal values share an entry; entries over 64 KB are several requests.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import orjson
import structlog
from yarl import URL

from services.carriers.codes import SAME_FOR_ALL, kind_of, loggable, segment_count, settle, unread, word
from services.carriers.http import Http, HttpAnswer, retry_after_seconds
from services.carriers.huawei_auth import Digest, is_signed, signed_headers, wsse_headers
from services.carriers.huawei_codes import ACCEPTED, CODES, DELIVERED, PENDING, describe
from services.carriers.in_parts import WINDOW_SECONDS, InParts, Pace
from services.carriers.ports import (
    Answer,
    CodeClass,
    ForeignReceipts,
    Outcome,
    Receipt,
    ReceiptsAnswer,
    ReceiptsRequest,
    Reply,
    Submission,
    UnreadableReceipts,
)
from services.carriers.reports import read_each
from services.clock import Clock
from services.errors import NotTaken, RequestRefused, Unanswered

__all__ = ["CODES", "ENDPOINT", "Huawei", "describe"]

log = structlog.get_logger()

ENDPOINT = "https://smsapi.cn-north-4.myhuaweicloud.com:443"
PATH, DIFF_PATH = "/sms/batchSendSms/v1", "/sms/batchSendDiffSms/v1"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
MAX_NUMBERS = 500
MAX_CONTENT_BYTES = 64_000
MAX_REPORTS = 1000  # the JSON push holds at most 50; more is not Huawei
MAX_FIELDS = 64

Entry = dict[str, Any]


class Huawei:
    """One application at Huawei. `http` is shared with other carriers and closed by whoever made it."""

    max_numbers = max_numbers_with_values = MAX_NUMBERS
    echoes_reference = True
    opted_out_codes = frozenset({"BLACK", "MBBLACK", "TSBLACK", "TDBLACK"})

    def __init__(
        self,
        *,
        app_key: str,
        app_secret: str,
        http: Http,
        clock: Clock,
        pace: Pace,
        endpoint: str = ENDPOINT,
        region: Literal["mainland", "international"] = "mainland",
        auth: Literal["aksk", "wsse"] = "aksk",
        wsse_digest: Digest = "hex",
        callback_signed: bool = False,
        make_nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        """`pace` waits for this application's next turn. `callback_signed` turns away status reports without Huawei's
        signature. Raises ValueError for an endpoint that is no http(s) address."""
        base = URL(endpoint)
        if base.scheme not in {"http", "https"} or not base.host:
            raise ValueError(f"not an http(s) address: {endpoint!r}")
        self._base = base
        self._app_key, self._app_secret = app_key, app_secret
        self._http, self._clock = http, clock
        self._in_parts = InParts(pace)
        self.longest_seconds = WINDOW_SECONDS + http.longest_seconds
        self._mainland = region == "mainland"
        self._auth, self._digest, self._make_nonce = auth, wsse_digest, make_nonce
        self._callback_signed = callback_signed

    async def submit(self, submission: Submission) -> Answer:
        """POST batchSendSms once, or batchSendDiffSms once for each 64 KB; the module says how an answer is read."""
        if not submission.values:
            return await self._send(PATH, FORM, form(submission).encode("ascii"), submission.numbers)
        requests = diff_requests(submission)
        if len(requests) == 1:
            return await self._send(DIFF_PATH, JSON, requests[0][1], submission.numbers)
        bodies = {numbers[0]: body for numbers, body in requests}

        async def send(numbers: Sequence[int]) -> Answer:
            try:
                return await self._send(DIFF_PATH, JSON, bodies[numbers[0]], numbers)
            except RequestRefused as refusal:
                if self.kind_of(refusal.code) in SAME_FOR_ALL:
                    raise
                # It may be about these values only.
                refused = dict.fromkeys(numbers, Outcome(False, refusal.code))
                return settle(refused, len(numbers), CODES, "huawei", {refusal.code: refusal.reason})

        return await self._in_parts.submit([numbers for numbers, _ in requests], send)

    def kind_of(self, code: str) -> CodeClass | None:
        """From `huawei_codes.py`."""
        return kind_of(CODES, code)

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """Both shapes: the form of one segment that `statusCallback` gets, and the application-wide JSON list."""
        if self._callback_signed and not is_signed(self._app_key, self._app_secret, request, self._clock.now()):
            raise ForeignReceipts("the signature is missing, wrong or too old")
        return read_each(_reports(request.body), self._receipt)

    def receipts_answer(self) -> ReceiptsAnswer:
        """Huawei ignores what the answer says and documents no second push."""
        return ReceiptsAnswer(200, "text/plain", b"OK")

    def read_replies(self, request: ReceiptsRequest) -> Sequence[Reply]:
        """One answer of one person. Huawei signs none; `smsMsgId` is the answer's own."""
        fields = _form_fields(request.body)
        text, sms_id = fields.get("body"), word(fields.get("smsMsgId"))
        number = self._number(fields.get("from", ""))
        if number is None or text is None or sms_id is None:
            raise UnreadableReceipts("a reply without smsMsgId, from or body")
        return [Reply(number, text, sms_id, _time(fields.get("createTime")))]

    def replies_answer(self) -> ReceiptsAnswer:
        """As for receipts."""
        return self.receipts_answer()

    async def close(self) -> None:
        """Nothing of its own to close."""

    async def _send(self, path: str, content_type: str, body: bytes, numbers: Sequence[int]) -> Answer:
        url = self._base.with_path(self._base.path.rstrip("/") + path)
        headers = self._headers(url, {"Content-Type": content_type}, body)
        return self.read_answer(await self._http.request("POST", str(url), headers=headers, body=body), numbers)

    def _headers(self, url: URL, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        now = self._clock.now()
        if self._auth == "wsse":
            return {**headers, **wsse_headers(self._app_key, self._app_secret, self._make_nonce(), now, self._digest)}
        return signed_headers(self._app_key, self._app_secret, "POST", url, headers, body, now)

    def read_answer(self, answer: HttpAnswer, numbers: Sequence[int]) -> Answer:
        """The outcome of each of `numbers` that the answer tells of. Raises as `submit` does."""
        status = answer.status
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise NotTaken("http_429", "too many requests", retry_after_seconds(answer, self._clock.now()))
        code, description, results = _parse(answer.body)
        if not code or (status != HTTPStatus.OK and not 400 <= status < 500):
            raise unread(status)
        if results:
            return self._outcomes(results, numbers)
        if code == ACCEPTED:
            raise Unanswered("no_result", "the answer names no number")
        if _slow_down(code):
            raise NotTaken(code, describe(code), retry_after_seconds(answer, self._clock.now()))
        raise RequestRefused(code, CODES[code].text if code in CODES else description or code)

    def _outcomes(self, results: Sequence[Any], numbers: Sequence[int]) -> Answer:
        as_sent = {f"+{number}": number for number in numbers}
        said: dict[int, Outcome] = {}
        for entry in results:
            if not isinstance(entry, dict):
                continue
            said_of, status = entry.get, entry.get("status")
            origin = said_of("originTo")
            if not isinstance(origin, str):
                continue
            number = as_sent.get(origin) or as_sent.get(f"+{self._number(origin)}")
            if number is None:
                continue
            if status == ACCEPTED:
                said[number] = Outcome(True, ACCEPTED, word(said_of("smsMsgId")), segment_count(said_of("total")))
            elif number not in said and (code := word(status)):
                said[number] = Outcome(False, code)
        return settle(said, len(as_sent), CODES, "huawei")

    def _receipt(self, report: Mapping[str, Any]) -> Receipt:
        sms_id, code = word(report.get("smsMsgId")), word(report.get("status"))
        if sms_id is None or code is None:
            raise UnreadableReceipts("a report without smsMsgId or status")
        sequence, total = segment_count(report.get("sequence", 1)), segment_count(report.get("total", 1))
        if sequence is None or total is None or sequence > total:
            raise UnreadableReceipts("a report whose sequence and total are no counts")
        to = report.get("to")
        return Receipt(
            status="delivered" if code == DELIVERED else "pending" if code in PENDING else "failed",
            code=code,
            sms_id=sms_id,
            reference=word(report.get("extend")),
            number=self._number(to) if isinstance(to, str) else None,
            sequence=sequence,
            total=total,
            at=_time(report.get("updateTime")),
        )

    def _number(self, text: str) -> int | None:
        """E.164 without the plus. Only a mainland application's 11 digits are read as a number without its 86."""
        text = text.strip()
        digits = text[1:] if text.startswith("+") else text.removeprefix("00")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
            return None
        if digits == text and self._mainland and len(digits) == 11 and digits[0] == "1":
            digits = "86" + digits
        return int(digits)


def form(submission: Submission) -> str:
    """The body of batchSendSms, percent-encoded: `to` with plus and country code, and no empty field."""
    fields = {"from": submission.sender, "templateId": submission.template_code}
    if submission.receipts_url:
        fields["statusCallback"] = submission.receipts_url
    if submission.reference:
        fields["extend"] = submission.reference
    if submission.signature:
        fields["signature"] = submission.signature
    # digits need no encoding, and encoding 500 of them character by character would cost more than the rest
    to = "%2C".join([f"%2B{number}" for number in submission.numbers])
    return f"{urlencode(fields)}&to={to}"


def diff_requests(submission: Submission) -> list[tuple[list[int], bytes]]:
    """The bodies of batchSendDiffSms, each with its numbers: one, unless `smsContent` grows over its limit."""
    same: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number in submission.numbers:
        same[tuple(submission.values_for(number))].append(number)
    requests: list[tuple[list[int], bytes]] = []
    entries: list[Entry] = []
    numbers: list[int] = []
    size = 2
    for values, those in same.items():
        entry = _entry(submission, values, those)
        # the comma to the one before it too
        its_size = len(_json(entry)) + 1
        if entries and size + its_size > MAX_CONTENT_BYTES:
            requests.append((numbers, _diff_body(submission, entries)))
            entries, numbers, size = [], [], 2
        entries.append(entry)
        numbers += those
        size += its_size
    return [*requests, (numbers, _diff_body(submission, entries))]


def _entry(submission: Submission, values: Sequence[str], numbers: Sequence[int]) -> Entry:
    entry: Entry = {
        "to": [f"+{number}" for number in numbers],
        "templateId": submission.template_code,
        "templateParas": list(values),
    }
    return entry | {"signature": submission.signature} if submission.signature else entry


def _diff_body(submission: Submission, entries: Sequence[Entry]) -> bytes:
    fields: dict[str, object] = {"from": submission.sender}
    if submission.receipts_url:
        fields["statusCallback"] = submission.receipts_url
    if submission.reference:
        fields["extend"] = submission.reference
    return _json(fields | {"smsContent": list(entries)})


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _parse(body: bytes) -> tuple[str, str, Sequence[Any]]:
    """`code`, `description` and `result`; an empty code where the body is no such answer. The gateway in front of the
    API says `error_code` and `error_msg`."""
    try:
        answer = orjson.loads(body)
    except ValueError:
        return "", "", ()
    if not isinstance(answer, dict):
        return "", "", ()
    code = answer.get("code") or answer.get("error_code")
    description = answer.get("description") or answer.get("error_msg")
    results = answer.get("result")
    return (
        word(code) or "",
        loggable(description),
        results if isinstance(results, list) else (),
    )


def _reports(body: bytes) -> Sequence[object]:
    if not body.lstrip().startswith(b"{"):
        return [_form_fields(body)]
    try:
        pushed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableReceipts("not JSON") from error
    reports = pushed.get("statusReportList")
    if not isinstance(reports, list) or len(reports) > MAX_REPORTS:
        raise UnreadableReceipts("no statusReportList, or one too long")
    return reports


def _form_fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise UnreadableReceipts("a form with too many fields") from error


def _slow_down(code: str) -> bool:
    return code in CODES and CODES[code].kind == "retryable"


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
