"""Huawei Cloud Message & SMS: batchSendSms v1, its SDK-HMAC-SHA256 signature and its status reports.

Written from the API reference at support.huaweicloud.com/api-msgsms, pages sms_05_0001 (batchSendSms), 0003 (status
reports), 0046 (authentication), 0050 (API codes) and 0051 (status codes), as of August 2024.

Limits, from page 0001: 500 numbers and 21,999 characters of `to` in a request, `extend` 1 to 128 characters, `from` 21.
A template holds 500 characters, signature included. Huawei pushes each status report once and never again, and makes an
EXPIRED of a message that has no final report after 72 hours.

An answer has one `code`, and one `status` per number; both are checked. A number whose status is E200015 (the
platform's queue is full) was not taken; where all are, the request is NotTaken.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import orjson
import structlog
from yarl import URL

from services.carriers.codes import REFUSED_UNREAD, Code, kind_of, phrase, segment_count, settle, word
from services.carriers.http import Http, HttpAnswer, retry_after_seconds
from services.carriers.ports import (
    Answer,
    Outcome,
    Receipt,
    ReceiptsAnswer,
    ReceiptsRequest,
    Submission,
    UnreadableReceipts,
)
from services.clock import Clock
from services.errors import NotTaken, RequestRefused, Unanswered

log = structlog.get_logger()

ENDPOINT = "https://smsapi.cn-north-4.myhuaweicloud.com:443"
PATH = "/sms/batchSendSms/v1"
FORM = "application/x-www-form-urlencoded"
MAX_NUMBERS = 500
MAX_REPORTS = 1000  # the JSON push holds at most 50; more is not Huawei

ACCEPTED = "000000"

_HEADER = "the Authorization or X-WSSE header is incomplete or malformed"
_CHANNEL = "a channel check of the sender, the signature or the recipient failed"
_STOPPED = "stopped by the platform: the country is not allowed, the package is used up, or alike"

CODES: dict[str, Code] = {
    ACCEPTED: Code("accepted", "accepted"),
    # For the whole request
    "E000000": Code("refused_content", "the request could not be parsed, often because of its template variables"),
    **{f"E0000{n:02}": Code("refused_account", _HEADER) for n in (*range(1, 9), *range(20, 27))},
    "E000027": Code("refused_account", "illegal request"),
    "E000040": Code("refused_account", "the content type of the request is wrong"),
    "E000045": Code("refused_account", "the signature of the request is wrong: check the application's key and secret"),
    "E000101": Code("refused_account", "authentication failed: check the application's key and secret"),
    "E000102": Code("refused_account", "the application key is not valid"),
    "E000103": Code("refused_account", "the application key cannot be used"),
    "E000104": Code("refused_account", "the application secret is not valid"),
    "E000105": Code("refused_account", "the password digest is not valid"),
    "E000106": Code("refused_account", "the application may not call this API"),
    "E000109": Code("refused_account", "the user is not active"),
    "E000110": Code("refused_account", "the time of the request is out of range: check this machine's clock"),
    "E000111": Code("refused_account", "the user name or password is wrong"),
    "E000112": Code("refused_account", "the account is frozen"),
    "E000503": Code("refused_content", "a parameter has a wrong format"),
    "E000510": Code("refused_content", "the SMS could not be sent"),
    "E000620": Code("refused_account", "the bot's IP address is not on the account's list"),
    "E000623": Code("quota", "the account's daily limit is reached"),
    **{f"E000{n}": Code("refused_account", _STOPPED) for n in (628, 629, 630, 632)},
    # For one number; some come in receipts too
    "E200015": Code("retryable", "too many messages are waiting at the platform"),
    **{f"E2000{n}": Code("refused_account", _CHANNEL) for n in range(18, 24)},
    "E200024": Code("refused_account", "sending abroad is not enabled for the account"),
    "E200025": Code("refused_number", "no channel of the account reaches this number"),
    "E200026": Code("refused_account", "no channel of the account matches this number"),
    "E200027": Code("refused_account", "the account has no route for this number"),
    "E200028": Code("refused_content", "the template's variables failed the check"),
    "E200029": Code("refused_content", "the template's type failed the check"),
    "E200030": Code("refused_content", "the template is not active"),
    "E200031": Code("refused_content", "the protocol failed the check"),
    "E200032": Code("refused_content", "a template is required"),
    "E200033": Code("refused_content", "the template is of the wrong type"),
    "E200034": Code("refused_number", "the platform gave up sending it again"),
    "E200035": Code("refused_content", "a field of the text could not be replaced"),
    "E200036": Code("refused_account", "the account's sending rate is set to zero"),
    "E200037": Code("refused_content", "the SMS could not be sent"),
    "E200038": Code("refused_number", "the parts of a long SMS did not arrive within 3 minutes"),
    "E200041": Code("refused_number", "the number stood twice in the request"),
    "E200051": Code("refused_content", "the text breaks the rules for verification codes abroad"),
}

DELIVERED = "DELIVRD"
PENDING = frozenset({"ACCEPTD"})

_LIMIT = "a limit on messages was reached"
_BLOCKED = "the number is on a block list; the person may have unsubscribed or complained"

RECEIPT_WORDS: dict[str, str] = {
    DELIVERED: "delivered",
    "ACCEPTD": "on its way",
    "EXPIRED": "not delivered in time; the phone may have been off",
    "DELETED": "deleted before it was delivered",
    "UNDELIV": "could not be delivered",
    "UNKNOWN": "the operator does not know what became of it",
    "REJECTD": "rejected by the operator",
    "KEYWORD": "the text holds a word that is not let through",
    **dict.fromkeys(("LIMIT", "MILIMIT", "CTLIMIT", "BEYONDN"), _LIMIT),
    **dict.fromkeys(("BLACK", "MBBLACK", "TSBLACK", "TDBLACK"), _BLOCKED),
}


def describe(code: str) -> str:
    """A code of an answer or a receipt in plain words; the code itself where Huawei does not document it."""
    if code in CODES:
        return CODES[code].text
    return RECEIPT_WORDS.get(code, code)


def sign(
    app_secret: str, method: str, path: str, query: str, headers: Mapping[str, str], payload_hash: str, date: str
) -> str:
    """The SDK-HMAC-SHA256 signature in hex. `headers` are those to sign, in lower case; `query` is sorted already."""
    ordered = sorted(headers.items())
    lines = "".join([f"{name}:{value}\n" for name, value in ordered])
    names = ";".join([name for name, _ in ordered])
    canonical = f"{method}\n{path.rstrip('/')}/\n{query}\n{lines}\n{names}\n{payload_hash}"
    text = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(app_secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Huawei:
    """One application at Huawei. `http` is shared with other carriers and closed by whoever made it."""

    max_numbers = MAX_NUMBERS
    echoes_reference = True

    def __init__(
        self,
        *,
        app_key: str,
        app_secret: str,
        http: Http,
        clock: Clock,
        endpoint: str = ENDPOINT,
        region: Literal["mainland", "international"] = "mainland",
    ) -> None:
        """Raises ValueError for an endpoint that is no http(s) address."""
        base = URL(endpoint)
        if base.scheme not in {"http", "https"} or not base.host:
            raise ValueError(f"not an http(s) address: {endpoint!r}")
        self._url = base.with_path(base.path.rstrip("/") + PATH)
        self._host = base.host_port_subcomponent or base.host
        self._app_key, self._app_secret = app_key, app_secret
        self._http, self._clock = http, clock
        self.longest_seconds = http.longest_seconds
        self._mainland = region == "mainland"

    async def submit(self, submission: Submission) -> Answer:
        """POST batchSendSms once; the module says how its answer is read."""
        body = form(submission).encode("ascii")
        answer = await self._http.request("POST", str(self._url), headers=self._headers(), body=body)
        return self.read_answer(answer, submission.numbers)

    def kind_of(self, code: str) -> str:
        """By this module's table."""
        return kind_of(CODES, code)

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """Both shapes: the form of one segment that `statusCallback` gets, and the application-wide JSON list.

        Reports of a list that cannot be read are logged and left out, as long as one can.
        """
        reports = _reports(request.body)
        receipts, errors = [], []
        for report in reports:
            try:
                receipts.append(self._receipt(report))
            except UnreadableReceipts as error:
                errors.append(str(error))
        if not receipts:
            raise UnreadableReceipts(errors[0] if errors else "no report in it")
        if errors:
            log.warning("huawei_reports_unreadable", count=len(errors), first=errors[0])
        return receipts

    def receipts_answer(self) -> ReceiptsAnswer:
        """Huawei ignores what the answer says and documents no second push."""
        return ReceiptsAnswer(200, "text/plain", b"OK")

    async def close(self) -> None:
        """Nothing of its own to close."""

    def _headers(self) -> dict[str, str]:
        date = self._clock.now().strftime("%Y%m%dT%H%M%SZ")
        signed = {
            "content-type": FORM,
            "host": self._host,
            "x-sdk-content-sha256": "UNSIGNED-PAYLOAD",
            "x-sdk-date": date,
        }
        signature = sign(self._app_secret, "POST", self._url.raw_path, "", signed, "UNSIGNED-PAYLOAD", date)
        return {
            "Content-Type": FORM,
            "Host": self._host,
            "X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD",
            "X-Sdk-Date": date,
            "Authorization": f"SDK-HMAC-SHA256 Access={self._app_key}, "
            f"SignedHeaders={';'.join(signed)}, Signature={signature}",
        }

    def read_answer(self, answer: HttpAnswer, numbers: Sequence[int]) -> Answer:
        """The outcome of each of `numbers` that the answer tells of. Raises as `submit` does."""
        status = answer.status
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise NotTaken("http_429", "too many requests", retry_after_seconds(answer, self._clock.now()))
        code, description, results = _parse(answer.body)
        if not code or (status != HTTPStatus.OK and not 400 <= status < 500):
            if status in REFUSED_UNREAD:
                raise RequestRefused(f"http_{status}", phrase(status))
            raise Unanswered(f"http_{status}", "the answer cannot be read")
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
    """The body of the request, percent-encoded: `to` with plus and country code, and no empty field."""
    fields = {"from": submission.sender, "templateId": submission.template_code}
    if submission.variables:
        fields["templateParas"] = json.dumps(list(submission.variables), ensure_ascii=False)
    if submission.receipts_url:
        fields["statusCallback"] = submission.receipts_url
    if submission.reference:
        fields["extend"] = submission.reference
    if submission.signature:
        fields["signature"] = submission.signature
    # digits need no encoding, and encoding 500 of them character by character would cost more than the rest
    to = "%2C".join([f"%2B{number}" for number in submission.numbers])
    return f"{urlencode(fields)}&to={to}"


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
        description[:200] if isinstance(description, str) else "",
        results if isinstance(results, list) else (),
    )


def _reports(body: bytes) -> Sequence[Mapping[str, Any]]:
    if not body.lstrip().startswith(b"{"):
        try:
            return [dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=64))]
        except ValueError as error:
            raise UnreadableReceipts("a form with too many fields") from error
    try:
        pushed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableReceipts("not JSON") from error
    reports = pushed.get("statusReportList")
    if not isinstance(reports, list) or len(reports) > MAX_REPORTS:
        raise UnreadableReceipts("no statusReportList, or one too long")
    return [report if isinstance(report, dict) else {} for report in reports]


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
