"""Tencent Cloud SMS: SendSms of API version 2021-01-11, its TC3-HMAC-SHA256 signature and its delivery reports.

Written from cloud.tencent.com/document/api/382/55981 (SendSms), 382/59178 (callbacks, January 2026), the description of
"signature method v3", and the error codes of the SDK tencentcloud-sdk-python-sms 3.1.153.

Limits, from 382/55981: 200 numbers in a request, all of the mainland or none; `SessionContext` under 512 bytes. A text
holds 500 characters, signature included. 3,000 requests a second by default.

An answer is HTTP 200 also where the request failed: then it holds `Response.Error`. Else `SendStatusSet` has an entry
per number, matched by the number, not by its place. The InternalError family leaves open what became of a message.

Reports hold our reference (`ext`) only where Tencent has enabled that for the account; the others are matched by `sid`.
They are not signed. Tencent sends a push that was not answered well twice more, and then never again.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Any, Literal

import structlog
from yarl import URL

from services.carriers.codes import REFUSED_UNREAD, Code, CodeClass, kind_of, phrase, segment_count, settle, word
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

ENDPOINT = "https://sms.tencentcloudapi.com"
ACTION, VERSION, SERVICE = "SendSms", "2021-01-11", "sms"
JSON = "application/json; charset=utf-8"
MAX_NUMBERS = 200
MAX_REPORTS = 1000  # a push holds at most 100; more is not Tencent
# The times of reports bear no zone; the console shows the same ones as China's.
REPORT_ZONE = timezone(timedelta(hours=8))

OK = "Ok"

_NOT_APPROVED = "the template is not approved, or does not exist"
_UNREADABLE = "the request could not be parsed"
_KEYS = "the credentials are wrong: check secret_id and secret_key"
_FREQUENCY = "the number has had too many messages for now; the account's frequency limits say how many it may have"
_DAILY = "the account's daily limit is reached"
_REGIONS = "the template is for another region than the number's"


def _family(prefix: str, names: str, kind: CodeClass, text: str) -> dict[str, Code]:
    return {f"{prefix}.{name}": Code(kind, text) for name in names.split()}


CODES: dict[str, Code] = {
    OK: Code("accepted", "accepted"),
    # For the whole request
    **_family(
        "AuthFailure",
        "InvalidAuthorization InvalidSecretId MFAFailure SecretIdNotFound SignatureFailure TokenFailure",
        "refused_account",
        _KEYS,
    ),
    "AuthFailure.SignatureExpire": Code(
        "refused_account", "the time of the request is out of range: check this machine's clock"
    ),
    "AuthFailure.UnauthorizedOperation": Code("refused_account", "the credentials may not send SMS"),
    "RequestLimitExceeded": Code("retryable", "too many requests"),
    **_family(
        "RequestLimitExceeded",
        "UinLimitExceeded IPLimitExceeded GlobalRegionUinLimitExceeded",
        "retryable",
        "too many requests",
    ),
    "InvalidAction": Code("refused_account", "the endpoint does not know SendSms"),
    "NoSuchVersion": Code("refused_account", "the endpoint does not know this version of SendSms"),
    "UnsupportedRegion": Code("refused_account", "the endpoint does not know this cloud_region"),
    # For the request or for one number
    "FailedOperation.ContainSensitiveWord": Code("refused_content", "the text holds a word that is not let through"),
    "FailedOperation.FailResolvePacket": Code("refused_content", _UNREADABLE),
    "FailedOperation.JsonParseFail": Code("refused_content", _UNREADABLE),
    "FailedOperation.InsufficientBalanceInSmsPackage": Code("refused_account", "the account's SMS package is used up"),
    "FailedOperation.MarketingSendTimeConstraint": Code("quota", "promotional SMS may leave from 08:00 to 22:00 only"),
    "FailedOperation.PhoneNumberInBlacklist": Code(
        "refused_number", "the number is on a block list; the person may have unsubscribed"
    ),
    "FailedOperation.PhoneNumberParseFail": Code("refused_number", "the number cannot be read"),
    "FailedOperation.SignatureIncorrectOrUnapproved": Code("refused_content", "the signature is not approved"),
    "FailedOperation.TemplateIncorrectOrUnapproved": Code("refused_content", _NOT_APPROVED),
    "FailedOperation.TemplateUnapprovedOrNotExist": Code("refused_content", _NOT_APPROVED),
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate": Code(
        "refused_content", "the template has another number of variables"
    ),
    **_family("FailedOperation", "OtherError ParametersOtherError", "refused_content", "the SMS could not be sent"),
    **_family(
        "InternalError",
        "JsonParseFail OtherError ParseBackendResponseFail SendAndRecvFail Timeout UnknownError",
        "unknown",
        "the platform had trouble of its own",
    ),
    "InternalError": Code("unknown", "the platform had trouble of its own"),
    "InternalError.RequestTimeException": Code(
        "refused_account", "the time of the request is out of range: check this machine's clock"
    ),
    **_family(
        "InternalError", "RestApiInterfaceNotExist SigFieldMissing SigVerificationFail", "refused_account", _KEYS
    ),
    "InvalidParameter.AppidAndBizId": Code("refused_account", "the account does not have this sdk_app_id"),
    "InvalidParameter.DirtyWordFound": Code("refused_content", "the text holds a word that is not let through"),
    "InvalidParameter.InvalidParameters": Code("refused_content", "a parameter is wrong"),
    "InvalidParameterValue.ContentLengthLimit": Code("refused_content", "the text is too long"),
    "InvalidParameterValue.IncorrectPhoneNumber": Code("refused_number", "the number is wrong"),
    "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter": Code("refused_content", "a variable holds a link"),
    "InvalidParameterValue.SdkAppIdNotExist": Code("refused_account", "there is no application with this sdk_app_id"),
    "InvalidParameterValue.TemplateParameterFormatError": Code("refused_content", "a variable has a wrong format"),
    "InvalidParameterValue.TemplateParameterLengthLimit": Code("refused_content", "a variable is too long"),
    "LimitExceeded.AppDailyLimit": Code("quota", _DAILY),
    "LimitExceeded.AppMainlandChinaDailyLimit": Code("quota", _DAILY),
    "LimitExceeded.AppGlobalDailyLimit": Code("quota", _DAILY),
    "LimitExceeded.DailyLimit": Code("quota", _DAILY),
    "LimitExceeded.AppCountryOrRegionDailyLimit": Code("quota", "the daily limit for this country is reached"),
    "LimitExceeded.AppCountryOrRegionInBlacklist": Code("refused_number", "the account may not send to this country"),
    "LimitExceeded.DeliveryFrequencyLimit": Code("quota", _FREQUENCY),
    "LimitExceeded.GlobalSmsSendingRateLimit": Code("retryable", "too many messages a second to other countries"),
    "LimitExceeded.PhoneNumberCountLimit": Code("refused_content", "the request held too many numbers"),
    **_family(
        "LimitExceeded",
        "PhoneNumberThirtySecondLimit PhoneNumberOneHourLimit PhoneNumberDailyLimit PhoneNumberSameContentDailyLimit",
        "quota",
        _FREQUENCY,
    ),
    "MissingParameter.EmptyPhoneNumberSet": Code("refused_content", "the request held no number"),
    "UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny": Code(
        "refused_account", "an individual's account may not send promotional SMS"
    ),
    "UnauthorizedOperation.RequestIpNotInWhitelist": Code(
        "refused_account", "the bot's IP address is not on the account's list"
    ),
    "UnauthorizedOperation.RequestPermissionDeny": Code("refused_account", "the account may not use this API"),
    "UnauthorizedOperation.SdkAppIdIsDisabled": Code("refused_account", "the application is disabled"),
    "UnauthorizedOperation.SmsSdkAppIdVerifyFail": Code("refused_account", "the account does not have this sdk_app_id"),
    "UnauthorizedOperation.ServiceSuspendDueToArrears": Code(
        "refused_account", "the account is suspended because of unpaid bills"
    ),
    "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber": Code(
        "refused_content", "the request held numbers of the mainland and others"
    ),
    "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone": Code("refused_content", _REGIONS),
    "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone": Code("refused_content", _REGIONS),
    "UnsupportedOperation.ContainDomesticPhoneNumber": Code("refused_content", _REGIONS),
    "UnsupportedOperation.UnsupportedRegion": Code("refused_number", "the number's country is not served"),
}

# The categories of tencent_receipt_codes.csv.
_CATEGORY_WORDS = {
    "blocked": "blocked on its way",
    "blocklist": "the number is on a block list; the person may have unsubscribed or complained",
    "content_blocked": "the text is not let through",
    "delivered": "delivered",
    "gateway": "the operator's gateway had trouble",
    "handset": "the phone did not take it",
    "invalid_number": "the number does not exist or is suspended",
    "invalid_or_off": "the number does not exist, or the phone is off",
    "opted_out": "the person has unsubscribed",
    "other": "could not be delivered",
    "ported": "the number has moved to another operator",
    "quiet_hours": "not let through at this time of day",
    "rate_limited": "a limit on messages was reached",
    "signature": "the signature is not let through",
    "timeout": "not delivered in time",
    "unknown": "the operator does not know what became of it",
    "unreachable": "the phone is off or out of reach",
}


@cache
def _receipt_words() -> Mapping[str, str]:
    # From a published list of the operators' codes; the categories were derived from their descriptions by rule, so
    # they are good for words, and decide nothing.
    table = resources.files("services.carriers").joinpath("tencent_receipt_codes.csv").read_text("utf-8")
    return {row["code"]: _CATEGORY_WORDS[row["category"]] for row in csv.DictReader(table.splitlines())}


def describe(code: str) -> str:
    """A code of an answer or a receipt in plain words; the code itself where neither Tencent nor an operator has it."""
    if code in CODES:
        return CODES[code].text
    return _receipt_words().get(code, code)


def authorization(
    secret_id: str, secret_key: str, *, service: str, host: str, content_type: str, body: bytes, at: int
) -> str:
    """The Authorization header of a POST to `/` by TC3-HMAC-SHA256; `at` is X-TC-Timestamp, in unix seconds."""
    payload = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\ncontent-type:{content_type}\nhost:{host}\n\ncontent-type;host\n{payload}"
    date = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"TC3{secret_key}".encode()
    for part in (date, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders=content-type;host, Signature={signature}"


class Tencent:
    """One application (`sdk_app_id`) at Tencent. `http` is shared with other carriers and closed by whoever made it."""

    max_numbers = MAX_NUMBERS
    echoes_reference = False

    def __init__(
        self,
        *,
        secret_id: str,
        secret_key: str,
        sdk_app_id: str,
        http: Http,
        clock: Clock,
        endpoint: str = ENDPOINT,
        cloud_region: str = "ap-guangzhou",
        region: Literal["mainland", "international"] = "mainland",
        sender_id: str | None = None,
    ) -> None:
        """`sender_id` goes with international messages only. Raises ValueError for an endpoint that is no address."""
        base = URL(endpoint)
        if base.scheme not in {"http", "https"} or not base.host:
            raise ValueError(f"not an http(s) address: {endpoint!r}")
        self._url = str(base.origin()) + "/"
        self._host = base.host_port_subcomponent or base.host
        self._secret_id, self._secret_key, self._sdk_app_id = secret_id, secret_key, sdk_app_id
        self._cloud_region = cloud_region
        self._sender_id = sender_id if region == "international" else None
        self._http, self._clock = http, clock
        self.longest_seconds = http.longest_seconds

    async def submit(self, submission: Submission) -> Answer:
        """POST SendSms once; the module says how its answer is read."""
        body = self._body(submission)
        answer = await self._http.request("POST", self._url, headers=self._headers(body), body=body)
        return self.read_answer(answer, submission.numbers)

    def kind_of(self, code: str) -> str:
        """By this module's table."""
        return kind_of(CODES, code)

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """A JSON list of reports. Those that cannot be read are logged and left out, as long as one can."""
        try:
            reports = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise UnreadableReceipts("not JSON") from error
        if not isinstance(reports, list) or len(reports) > MAX_REPORTS:
            raise UnreadableReceipts("no list, or one too long")
        receipts, errors = [], []
        for report in reports:
            try:
                receipts.append(_receipt(report if isinstance(report, dict) else {}))
            except UnreadableReceipts as error:
                errors.append(str(error))
        if not receipts:
            raise UnreadableReceipts(errors[0] if errors else "no report in it")
        if errors:
            log.warning("tencent_reports_unreadable", count=len(errors), first=errors[0])
        return receipts

    def receipts_answer(self) -> ReceiptsAnswer:
        """Anything else makes Tencent send the push again."""
        return ReceiptsAnswer(200, "application/json", b'{"result":0,"errmsg":"OK"}')

    async def close(self) -> None:
        """Nothing of its own to close."""

    def _body(self, submission: Submission) -> bytes:
        fields: dict[str, object] = {
            "PhoneNumberSet": [f"+{number}" for number in submission.numbers],
            "SmsSdkAppId": self._sdk_app_id,
            "TemplateId": submission.template_code,
            "TemplateParamSet": list(submission.variables),
        }
        if submission.sender:
            fields["SignName"] = submission.sender
        if self._sender_id:
            fields["SenderId"] = self._sender_id
        if submission.reference:
            fields["SessionContext"] = submission.reference
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()

    def _headers(self, body: bytes) -> dict[str, str]:
        at = int(self._clock.now().timestamp())
        return {
            "Content-Type": JSON,
            "Host": self._host,
            "X-TC-Action": ACTION,
            "X-TC-Version": VERSION,
            "X-TC-Timestamp": str(at),
            "X-TC-Region": self._cloud_region,
            "Authorization": authorization(
                self._secret_id,
                self._secret_key,
                service=SERVICE,
                host=self._host,
                content_type=JSON,
                body=body,
                at=at,
            ),
        }

    def read_answer(self, answer: HttpAnswer, numbers: Sequence[int]) -> Answer:
        """The outcome of each of `numbers` that the answer tells of. Raises as `submit` does."""
        status = answer.status
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise NotTaken("http_429", "too many requests", retry_after_seconds(answer, self._clock.now()))
        response = _parse(answer.body)
        if response is None or (status != HTTPStatus.OK and not 400 <= status < 500):
            if status in REFUSED_UNREAD:
                raise RequestRefused(f"http_{status}", phrase(status))
            raise Unanswered(f"http_{status}", "the answer cannot be read")
        if isinstance(response.get("Error"), dict):
            raise _failure(response["Error"], retry_after_seconds(answer, self._clock.now()))
        return settle(_said(response, numbers), len(numbers), CODES, "tencent")


def _parse(body: bytes) -> Mapping[str, Any] | None:
    """What is inside `Response`, where it is an answer to SendSms."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    response = answer.get("Response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        return None
    return response if isinstance(response.get("Error"), dict) or response.get("SendStatusSet") else None


def _failure(error: Mapping[str, Any], retry_after: float | None) -> NotTaken | RequestRefused | Unanswered:
    code, message = word(error.get("Code")), error.get("Message")
    if code is None:
        return Unanswered("no_code", "the answer names an error without a code")
    known = CODES.get(code)
    if known is None and _is_internal(code):
        return Unanswered(code, "the platform had trouble of its own")
    if known is None:
        return RequestRefused(code, message[:200] if isinstance(message, str) and message else code)
    if known.kind == "retryable":
        return NotTaken(code, known.text, retry_after)
    if known.kind == "unknown":
        return Unanswered(code, known.text)
    return RequestRefused(code, known.text)


def _said(response: Mapping[str, Any], numbers: Sequence[int]) -> dict[int, Outcome]:
    as_sent = {f"+{number}": number for number in numbers}
    statuses = response["SendStatusSet"]
    said: dict[int, Outcome] = {}
    for entry in statuses if isinstance(statuses, list) else ():
        if not isinstance(entry, dict):
            continue
        code, written = word(entry.get("Code")), entry.get("PhoneNumber")
        number = as_sent.get(f"+{written.strip().lstrip('+')}") if isinstance(written, str) else None
        if number is None or code is None or (code not in CODES and _is_internal(code)):
            continue
        if code == OK:
            said[number] = Outcome(True, code, word(entry.get("SerialNo")), segment_count(entry.get("Fee")))
        elif number not in said:
            said[number] = Outcome(False, code)
    return said


def _is_internal(code: str) -> bool:
    return code.split(".", 1)[0] == "InternalError"


def _receipt(report: Mapping[str, Any]) -> Receipt:
    sms_id, status = word(report.get("sid")), report.get("report_status")
    if sms_id is None or status not in ("SUCCESS", "FAIL"):
        raise UnreadableReceipts("a report without sid or report_status")
    return Receipt(
        status="delivered" if status == "SUCCESS" else "failed",
        code=word(report.get("errmsg")) or status,
        sms_id=sms_id,
        reference=word(report.get("ext")),
        number=_number(report),
        at=_time(report.get("user_receive_time")),
    )


def _number(report: Mapping[str, Any]) -> int | None:
    parts = [str(report.get(name, "")).strip().removeprefix("+") for name in ("nationcode", "mobile")]
    digits = "".join(parts)
    return int(digits) if all(parts) and digits.isascii() and digits.isdigit() and len(digits) <= 15 else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=REPORT_ZONE).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
