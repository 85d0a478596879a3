"""Tencent Cloud SMS: SendSms and SendMultiGlobalSms of API version 2021-01-11, delivery reports and what people answer.

Written from cloud.tencent.com/document/api/382/55981 (SendSms), 382/59178 (callbacks, January 2026), 382/34689 (rates)
and the SDK tencentcloud-sdk-python-sms 3.1.153.

Limits, from 382/55981: 200 numbers in a request, all of the mainland or none; `SessionContext` under 512 bytes. A text
holds 500 characters, signature included. 3,000 sends and 20 questions about a number a second by default.

Numbers with values of their own go by SendMultiGlobalSms abroad. For the mainland there is no such call: those with
equal values share a SendSms, so a batch is several requests.

`SendStatusSet` has an entry per number, matched by the number, not by its place.

Reports hold our reference (`ext`) only where Tencent has enabled that for the account; the others are matched by `sid`.
They are not signed. Tencent sends a push that was not answered well twice more, and then never again; what was missed
can be asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import structlog

from services.carriers.codes import ACCOUNT_WIDE, SAME_FOR_ALL, e164, kind_of, segment_count, settle, word
from services.carriers.http import Http, HttpAnswer
from services.carriers.in_parts import MAX_NUMBERS as MAX_NUMBERS_IN_PARTS
from services.carriers.in_parts import WINDOW_SECONDS, InParts, Pace
from services.carriers.ports import (
    Answer,
    CarrierSignature,
    CarrierTemplate,
    CodeClass,
    Outcome,
    Receipt,
    ReceiptsAnswer,
    ReceiptsRequest,
    Reply,
    Submission,
    UnreadableReceipts,
    Unsettled,
)
from services.carriers.reports import read_each
from services.carriers.tencent_api import ENDPOINT, Api, authorization, is_internal
from services.carriers.tencent_codes import CODES, OK, describe
from services.carriers.tencent_content import Content
from services.clock import Clock
from services.errors import RequestRefused, Unanswered

__all__ = ["CODES", "ENDPOINT", "Tencent", "authorization", "describe"]

log = structlog.get_logger()

MAX_NUMBERS = 200
MAX_REPORTS = 1000  # a push holds at most 100; more is not Tencent
MAX_PULLED = 100
PULLS_AT_ONCE = 20
SECONDS_BETWEEN_QUESTIONS = 0.1
# A message is looked for from so long before it was handed over: clocks differ.
MARGIN = timedelta(minutes=10)
OLDEST = timedelta(days=7)
# The times of reports bear no zone; the console shows the same ones as China's.
REPORT_ZONE = timezone(timedelta(hours=8))


class Tencent:
    """One application (`sdk_app_id`) at Tencent. `http` is shared with other carriers and closed by whoever made it."""

    max_numbers = MAX_NUMBERS
    echoes_reference = False
    opted_out_codes = frozenset({"FailedOperation.PhoneNumberInBlacklist"})

    def __init__(
        self,
        *,
        secret_id: str,
        secret_key: str,
        sdk_app_id: str,
        http: Http,
        clock: Clock,
        pace: Pace,
        endpoint: str = ENDPOINT,
        cloud_region: str = "ap-guangzhou",
        region: Literal["mainland", "international"] = "mainland",
        sender_id: str | None = None,
        pull_receipts: bool = False,
    ) -> None:
        """`pace` waits for this application's next turn. `sender_id` goes with international messages only.
        `pull_receipts` empties the queue of PullSmsSendStatus, which Tencent must have enabled. Raises ValueError for
        an endpoint that is no address."""
        self._api = Api(
            secret_id=secret_id,
            secret_key=secret_key,
            http=http,
            clock=clock,
            endpoint=endpoint,
            cloud_region=cloud_region,
        )
        self._sdk_app_id, self._clock = sdk_app_id, clock
        self._abroad = region == "international"
        self._sender_id = sender_id if self._abroad else None
        self._pulls_queue = pull_receipts
        self._in_parts = InParts(pace)
        self._content = Content(self._api, abroad=self._abroad)
        self.max_numbers_with_values = MAX_NUMBERS if self._abroad else MAX_NUMBERS_IN_PARTS
        self.longest_seconds = http.longest_seconds + (0.0 if self._abroad else WINDOW_SECONDS)

    async def submit(self, submission: Submission) -> Answer:
        """POST SendSms or SendMultiGlobalSms; the module says how often, and how an answer is read."""
        if not submission.values:
            return await self._send(submission, submission.numbers, ())
        if self._abroad:
            fields = self._multi(submission)
            response = await self._api.ask("SendMultiGlobalSms", fields, "SendMultiStatusSet")
            return _settled(response["SendMultiStatusSet"], submission.numbers)
        same: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number in submission.numbers:
            same[tuple(submission.values_for(number))].append(number)

        async def send(numbers: Sequence[int]) -> Answer:
            try:
                return await self._send(submission, numbers, submission.values_for(numbers[0]))
            except RequestRefused as refusal:
                if len(same) == 1 or self.kind_of(refusal.code) in SAME_FOR_ALL:
                    raise
                # It may be about these values only.
                refused = dict.fromkeys(numbers, Outcome(False, refusal.code))
                return settle(refused, len(numbers), CODES, "tencent", {refusal.code: refusal.reason})

        return await self._in_parts.submit(list(same.values()), send)

    def kind_of(self, code: str) -> CodeClass | None:
        """From `tencent_codes.py`."""
        return kind_of(CODES, code)

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """A JSON list of reports."""
        try:
            reports = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise UnreadableReceipts("not JSON") from error
        if not isinstance(reports, list) or len(reports) > MAX_REPORTS:
            raise UnreadableReceipts("no list, or one too long")
        return read_each(reports, _receipt)

    def receipts_answer(self) -> ReceiptsAnswer:
        """Anything else makes Tencent send the push again."""
        return ReceiptsAnswer(200, "application/json", b'{"result":0,"errmsg":"OK"}')

    def read_replies(self, request: ReceiptsRequest) -> Sequence[Reply]:
        """One answer of one person. It has no id."""
        try:
            said = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise UnreadableReceipts("not JSON") from error
        fields = said if isinstance(said, dict) else {}
        text, number = fields.get("text"), _number(fields)
        if not isinstance(text, str) or number is None:
            raise UnreadableReceipts("a reply without nationcode, mobile or text")
        return [Reply(number, text, at=_unix_time(fields.get("time")))]

    def replies_answer(self) -> ReceiptsAnswer:
        """As for receipts."""
        return self.receipts_answer()

    async def pull_receipts(self, unsettled: Sequence[Unsettled]) -> AsyncGenerator[Sequence[Receipt], None]:
        """Whatever waits in the queue, where it is pulled, which gives each status once only; then what is known of
        each number. A status found by the number counts only with the SMS ID or the reference of a message of ours.
        """
        if self._pulls_queue:
            for _ in range(PULLS_AT_ONCE):
                pulled = await self._pull_queue()
                yield [receipt for status in pulled if (receipt := _pulled(status)) is not None]
                if len(pulled) < MAX_PULLED:
                    break
        by_number: dict[int, list[Unsettled]] = defaultdict(list)
        for each in unsettled:
            by_number[each.number].append(each)
        refused: Counter[str] = Counter()
        for place, (number, ours) in enumerate(by_number.items()):
            if place:
                await asyncio.sleep(SECONDS_BETWEEN_QUESTIONS)
            try:
                yield await self._ask_about(number, ours)
            except RequestRefused as refusal:
                if self.kind_of(refusal.code) in ACCOUNT_WIDE:
                    raise
                # It may be about this number only.
                refused[refusal.code] += 1
        if refused:
            log.warning("tencent.numbers_not_asked_about", codes=dict(refused))

    async def list_signatures(self) -> Sequence[CarrierSignature]:
        """By DescribeSmsSignList."""
        return await self._content.list_signatures()

    async def list_templates(self) -> Sequence[CarrierTemplate]:
        """By DescribeSmsTemplateList, which does not say their SMS types."""
        return await self._content.list_templates()

    async def add_template(self, name: str, text: str, sms_type: str, signature: str | None) -> str:
        """By AddSmsTemplate. No template belongs to a signature here."""
        return await self._content.add_template(name, text, sms_type)

    async def close(self) -> None:
        """Nothing of its own to close."""

    async def _send(self, submission: Submission, numbers: Sequence[int], values: Sequence[str]) -> Answer:
        fields: dict[str, object] = {
            "PhoneNumberSet": [f"+{number}" for number in numbers],
            "SmsSdkAppId": self._sdk_app_id,
            "TemplateId": submission.template_code,
            "TemplateParamSet": list(values),
        }
        if submission.sender:
            fields["SignName"] = submission.sender
        if self._sender_id:
            fields["SenderId"] = self._sender_id
        if submission.reference:
            fields["SessionContext"] = submission.reference
        response = await self._api.ask("SendSms", fields, "SendStatusSet")
        return _settled(response["SendStatusSet"], numbers)

    def _multi(self, submission: Submission) -> dict[str, object]:
        each = {"SenderId": self._sender_id} if self._sender_id else {}
        if submission.reference:
            each["SessionContext"] = submission.reference
        messages = [
            {
                "PhoneNumber": f"+{number}",
                "TemplateId": submission.template_code,
                "TemplateParamSet": list(submission.values_for(number)),
                **each,
            }
            for number in submission.numbers
        ]
        return {"SmsSdkAppId": self._sdk_app_id, "MultiSmsInfoSet": messages}

    def read_answer(self, answer: HttpAnswer, numbers: Sequence[int]) -> Answer:
        """The outcome of each of `numbers` that an answer to SendSms tells of. Raises as `submit` does."""
        return _settled(self._api.read(answer, "SendStatusSet")["SendStatusSet"], numbers)

    async def _pull_queue(self) -> Sequence[Any]:
        fields = {"Limit": MAX_PULLED, "SmsSdkAppId": self._sdk_app_id}
        return _statuses(await self._api.ask("PullSmsSendStatus", fields, "PullSmsSendStatusSet"))

    async def _ask_about(self, number: int, ours: Sequence[Unsettled]) -> Sequence[Receipt]:
        begin = max(min(each.at for each in ours) - MARGIN, self._clock.now() - OLDEST)
        fields = {
            "BeginTime": int(begin.timestamp()),
            "Offset": 0,
            "Limit": MAX_PULLED,
            "PhoneNumber": f"+{number}",
            "SmsSdkAppId": self._sdk_app_id,
        }
        response = await self._api.ask("PullSmsSendStatusByPhoneNumber", fields, "PullSmsSendStatusSet")
        pulled = [receipt for status in _statuses(response) if (receipt := _pulled(status)) is not None]
        return [receipt for receipt in pulled if receipt.number == number and _is_ours(receipt, ours)]


def _settled(statuses: object, numbers: Sequence[int]) -> Answer:
    if not statuses:
        raise Unanswered("no_status", "the answer names no number")
    said, texts = _said(statuses, numbers)
    return settle(said, len(numbers), CODES, "tencent", texts)


def _said(statuses: object, numbers: Sequence[int]) -> tuple[dict[int, Outcome], dict[str, object]]:
    as_sent = {f"+{number}": number for number in numbers}
    said: dict[int, Outcome] = {}
    texts: dict[str, object] = {}
    for entry in statuses if isinstance(statuses, list) else ():
        if not isinstance(entry, dict):
            continue
        code, written = word(entry.get("Code")), entry.get("PhoneNumber")
        number = as_sent.get(f"+{written.strip().lstrip('+')}") if isinstance(written, str) else None
        if number is None or code is None or (code not in CODES and is_internal(code)):
            continue
        if code == OK:
            said[number] = Outcome(True, code, word(entry.get("SerialNo")), segment_count(entry.get("Fee")))
        elif number not in said:
            said[number] = Outcome(False, code)
            texts[code] = entry.get("Message")
    return said, texts


def _receipt(report: Mapping[str, Any]) -> Receipt:
    sms_id, status = word(report.get("sid")), report.get("report_status")
    number = _number(report)
    if sms_id is None or status not in ("SUCCESS", "FAIL") or number is None:
        # No message is found without its number.
        raise UnreadableReceipts("a report without sid, report_status or a number")
    return Receipt(
        status="delivered" if status == "SUCCESS" else "failed",
        code=word(report.get("errmsg")) or status,
        sms_id=sms_id,
        reference=word(report.get("ext")),
        number=number,
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


def _statuses(response: Mapping[str, Any]) -> Sequence[Any]:
    statuses = response["PullSmsSendStatusSet"]
    return statuses if isinstance(statuses, list) else ()


def _pulled(status: object) -> Receipt | None:
    """One that was asked for. `Description` is often the operator's code, and may be a whole sentence."""
    fields = status if isinstance(status, dict) else {}
    sms_id, state = word(fields.get("SerialNo")), fields.get("ReportStatus")
    if sms_id is None or state not in ("SUCCESS", "FAIL"):
        return None
    told = word(fields.get("Description"))
    return Receipt(
        status="delivered" if state == "SUCCESS" else "failed",
        code=told if told and " " not in told else state,
        sms_id=sms_id,
        reference=word(fields.get("SessionContext")),
        number=e164(fields.get("PhoneNumber")),
        at=_unix_time(fields.get("UserReceiveTime")),
    )


def _is_ours(receipt: Receipt, ours: Sequence[Unsettled]) -> bool:
    return any(
        receipt.sms_id == each.sms_id or (receipt.reference is not None and receipt.reference == each.reference)
        for each in ours
    )


def _unix_time(value: object) -> datetime | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    # up to the year 2286: others are no such times
    is_time = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10_000_000_000
    return datetime.fromtimestamp(value, UTC) if is_time and isinstance(value, int) else None
