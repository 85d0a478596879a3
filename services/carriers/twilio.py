"""Twilio: Programmable Messaging's Messages resource of API version 2010-04-01, and its signed callbacks.

Written from twilio.com/docs/messaging/api/message-resource, twilio.com/docs/usage/security (signatures) and the SDK
twilio-python 9.13, whose tests hold the published signatures. One request takes one number; a text holds 1,600
characters. A message can be looked up by its SID.

A callback is signed with the auth token over the address as Twilio called it and the form's fields. Twilio sends none
for the first status, and they may come in any order; our reference is in the address's query. The signature is an
HMAC-SHA1; or an HMAC-SHA256 where the header X-Twilio-Webhooks-Signature-Settings says so. What people answer comes to
the address that a number or a messaging service has in the console, signed alike; where Advanced Opt-Out is on,
`OptOutType` says whether they opted out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode

import structlog
from yarl import URL

from services.carriers.codes import ACCOUNT_WIDE, e164, kind_of, segment_count, settle, unread, word
from services.carriers.http import Http, HttpAnswer, retry_after_seconds
from services.carriers.in_parts import MAX_NUMBERS, WINDOW_SECONDS, InParts, Pace
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
    Unsettled,
)
from services.carriers.twilio_codes import BODY_TOO_LONG, CODES, MAX_TEXT, STATUSES, describe
from services.clock import Clock
from services.errors import NotTaken, RequestRefused, Unanswered

__all__ = ["CODES", "ENDPOINT", "STATUSES", "Twilio", "describe", "is_signed", "sign"]

log = structlog.get_logger()

ENDPOINT = "https://api.twilio.com"
FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 64  # of a callback; Twilio sends about ten

Algorithm = Literal["sha1", "sha256"]


def sign(auth_token: str, url: str, fields: Sequence[tuple[str, str]], algorithm: Algorithm = "sha1") -> str:
    """The signature of a callback: `url` with its query, then each field's name and its different values, sorted."""
    values = defaultdict(set)
    for name, value in fields:
        values[name].add(value)
    text = url + "".join([name + value for name in sorted(values) for value in sorted(values[name])])
    return base64.b64encode(hmac.digest(auth_token.encode(), text.encode(), algorithm)).decode("ascii")


def is_signed(auth_token: str, request: ReceiptsRequest) -> bool:
    """Whether the callback bears the signature that only Twilio and we can make.

    A body that is no form is not signed itself: its hash stands in the signed address.
    """
    given = request.headers.get("x-twilio-signature", "")
    settings = request.headers.get("x-twilio-webhooks-signature-settings", "")
    algorithm: Algorithm = "sha256" if "algorithm=hmac_sha256" in settings.replace(" ", "").lower() else "sha1"
    digest = request.query.get("bodySHA256")
    if digest is not None and not hmac.compare_digest(hashlib.sha256(request.body).hexdigest(), digest.lower()):
        return False
    fields = [] if digest is not None else _fields(request.body)
    return given.isascii() and any(
        hmac.compare_digest(sign(auth_token, url, fields, algorithm), given) for url in _spellings(request.url)
    )


class Twilio:
    """One account at Twilio. `http` is shared with other carriers and closed by whoever made it.

    A signature's channel number, where a submission has one, goes before `sender` and `messaging_service_sid`.
    """

    max_numbers = max_numbers_with_values = MAX_NUMBERS
    echoes_reference = True
    opted_out_codes = frozenset({"21610"})

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        http: Http,
        clock: Clock,
        pace: Pace,
        sender: str | None = None,
        messaging_service_sid: str | None = None,
        endpoint: str = ENDPOINT,
    ) -> None:
        """`pace` waits for this application's next turn. Raises ValueError for an endpoint that is no address, and
        where it is not one of `sender` and `messaging_service_sid`."""
        base = URL(endpoint)
        if base.scheme not in {"http", "https"} or not base.host:
            raise ValueError(f"not an http(s) address: {endpoint!r}")
        if (sender is None) == (messaging_service_sid is None):
            raise ValueError("either sender or messaging_service_sid")
        self._messages = f"{endpoint.rstrip('/')}/2010-04-01/Accounts/{quote(account_sid, safe='')}/Messages"
        basic = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode("ascii")
        self._asking = {"Authorization": f"Basic {basic}"}
        self._headers = {"Content-Type": FORM, **self._asking}
        self._auth_token = auth_token
        self._from = ("From", sender) if sender is not None else ("MessagingServiceSid", messaging_service_sid or "")
        self._http, self._clock = http, clock
        self._pace, self._in_parts = pace, InParts(pace)
        self.longest_seconds = WINDOW_SECONDS + http.longest_seconds

    async def submit(self, submission: Submission) -> Answer:
        """POST one message for each number."""
        if not submission.texts and len(submission.text) > MAX_TEXT:
            raise RequestRefused(BODY_TOO_LONG, CODES[BODY_TOO_LONG].text)

        async def send(number: int) -> Answer:
            if len(submission.text_for(number)) > MAX_TEXT:
                return Answer({number: Outcome(False, BODY_TOO_LONG)})
            body = self._form(submission, number).encode("ascii")
            answer = await self._http.request("POST", f"{self._messages}.json", headers=self._headers, body=body)
            outcome = self.read_answer(answer)
            texts = {} if outcome.accepted else {outcome.code: _parse(answer.body).get("message")}
            return settle({number: outcome}, 1, CODES, "twilio", texts)

        return await self._in_parts.submit_each(submission.numbers, send)

    def kind_of(self, code: str) -> CodeClass | None:
        """From `twilio_codes.py`."""
        return kind_of(CODES, code)

    def read_receipts(self, request: ReceiptsRequest) -> Sequence[Receipt]:
        """One status of one message, signed by Twilio."""
        if not is_signed(self._auth_token, request):
            raise ForeignReceipts("the signature is missing or wrong")
        fields = dict(_fields(request.body))
        sms_id, status = word(fields.get("MessageSid")), fields.get("MessageStatus", "")
        if sms_id is None or status not in STATUSES:
            raise UnreadableReceipts("a callback without MessageSid or a known MessageStatus")
        return [
            Receipt(
                status=STATUSES[status],
                code=word(fields.get("ErrorCode")) or status,
                sms_id=sms_id,
                reference=word(request.query.get("ref")),
                number=e164(fields.get("To")),
            )
        ]

    def receipts_answer(self) -> ReceiptsAnswer:
        """Any 2xx will do."""
        return ReceiptsAnswer(204, "text/plain", b"")

    def read_replies(self, request: ReceiptsRequest) -> Sequence[Reply]:
        """One answer of one person, signed by Twilio."""
        if not is_signed(self._auth_token, request):
            raise ForeignReceipts("the signature is missing or wrong")
        fields = dict(_fields(request.body))
        sms_id, number, text = word(fields.get("MessageSid")), e164(fields.get("From")), fields.get("Body")
        if sms_id is None or number is None or text is None:
            raise UnreadableReceipts("a reply without MessageSid, From or Body")
        opts_out = {"STOP": True, "START": False}.get(fields.get("OptOutType", "").upper())
        return [Reply(number, text, sms_id, opts_out=opts_out)]

    def replies_answer(self) -> ReceiptsAnswer:
        """TwiML that says nothing: anything else would be sent to the person."""
        return ReceiptsAnswer(200, "text/xml", b"<Response/>")

    async def pull_receipts(self, unsettled: Sequence[Unsettled]) -> AsyncGenerator[Sequence[Receipt], None]:
        """GET each message that has an SID, one after the other, at the rate of sending; without one it cannot be
        found."""
        for each in unsettled:
            if each.sms_id is not None:
                await self._pace()
                url = f"{self._messages}/{quote(each.sms_id, safe='')}.json"
                yield self._looked_up(each, await self._http.request("GET", url, headers=self._asking))

    async def close(self) -> None:
        """Nothing of its own to close."""

    def _form(self, submission: Submission, number: int) -> str:
        sender = ("From", submission.sender) if submission.sender else self._from
        fields = [("To", f"+{number}"), sender, ("Body", submission.text_for(number))]
        if submission.receipts_url:
            fields.append(("StatusCallback", f"{submission.receipts_url}?ref={quote(submission.reference, safe='')}"))
        return urlencode(fields)

    def read_answer(self, answer: HttpAnswer) -> Outcome:
        """What the answer to one number's request says. Raises NotTaken, Unanswered, or RequestRefused where the same
        answer awaits every number."""
        status = answer.status
        said = _parse(answer.body)
        code = _code(said)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            seconds = retry_after_seconds(answer, self._clock.now())
            raise NotTaken(code or "http_429", "too many requests", seconds)
        if 200 <= status < 300 and (sms_id := word(said.get("sid"))):
            return Outcome(
                True, word(said.get("status")) or "accepted", sms_id, segment_count(said.get("num_segments"))
            )
        if code is None or not 400 <= status < 500:
            raise unread(status)
        known = CODES.get(code)
        if known is not None and known.kind == "refused_account":
            raise RequestRefused(code, known.text)
        if known is not None and known.kind == "retryable":
            raise NotTaken(code, known.text, retry_after_seconds(answer, self._clock.now()))
        return Outcome(False, code)

    def _looked_up(self, asked: Unsettled, answer: HttpAnswer) -> Sequence[Receipt]:
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise NotTaken("http_429", "too many requests", retry_after_seconds(answer, self._clock.now()))
        said = _parse(answer.body)
        code = _code(said)
        if answer.status != HTTPStatus.NOT_FOUND and code is not None and self.kind_of(code) in ACCOUNT_WIDE:
            raise RequestRefused(code, describe(code))
        if 400 <= answer.status < 500 and answer.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            # It is about this message only; Twilio may not know it.
            return ()
        status, sms_id = said.get("status"), word(said.get("sid"))
        if answer.status != HTTPStatus.OK or sms_id != asked.sms_id or sms_id is None or not isinstance(status, str):
            raise Unanswered(f"http_{answer.status}", "the answer cannot be read")
        if STATUSES.get(status, "pending") == "pending":
            return ()
        error = said.get("error_code")
        return [
            Receipt(
                status=STATUSES[status],
                code=str(error) if isinstance(error, int) and not isinstance(error, bool) else status,
                sms_id=sms_id,
                reference=asked.reference,
                number=asked.number,
            )
        ]


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise ForeignReceipts("a form with too many fields") from error


def _spellings(url: str) -> list[str]:
    """Twilio signs the address with or without the scheme's own port, whichever it was given or made of it."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    own = {"http": ":80", "https": ":443"}.get(scheme.lower(), "")
    if not own:
        return [url]
    if host.endswith(own):
        return [url, f"{scheme}://{host.removesuffix(own)}{slash}{path}"]
    has_port = ":" in host.rpartition("]")[2]
    return [url] if has_port else [url, f"{scheme}://{host}{own}{slash}{path}"]


def _parse(body: bytes) -> Mapping[str, object]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _code(said: Mapping[str, object]) -> str | None:
    code = said.get("code")
    return str(code) if isinstance(code, int) and not isinstance(code, bool) else word(code)
