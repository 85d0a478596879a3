"""One request to Tencent Cloud's API version 2021-01-11: its TC3-HMAC-SHA256 signature, and what its answer says.

From the description of "signature method v3". An answer is HTTP 200 also where the request failed: then it holds
`Response.Error`. The InternalError family leaves open what became of the request.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from yarl import URL

from services.carriers.codes import loggable, unread, word
from services.carriers.http import Http, HttpAnswer, retry_after_seconds
from services.carriers.tencent_codes import CODES
from services.clock import Clock
from services.errors import NotTaken, RequestRefused, Unanswered

ENDPOINT = "https://sms.tencentcloudapi.com"
VERSION, SERVICE = "2021-01-11", "sms"
JSON = "application/json; charset=utf-8"


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


class Api:
    """One account's API key at one endpoint. `http` is shared."""

    def __init__(
        self, *, secret_id: str, secret_key: str, http: Http, clock: Clock, endpoint: str, cloud_region: str
    ) -> None:
        """Raises ValueError for an endpoint that is no address."""
        base = URL(endpoint)
        if base.scheme not in {"http", "https"} or not base.host:
            raise ValueError(f"not an http(s) address: {endpoint!r}")
        self._url = str(base.origin()) + "/"
        self._host = base.host_port_subcomponent or base.host
        self._secret_id, self._secret_key, self._cloud_region = secret_id, secret_key, cloud_region
        self._http, self._clock = http, clock

    async def ask(self, action: str, fields: Mapping[str, object], wanted: str) -> Mapping[str, Any]:
        """POST once; what is inside `Response`, where it holds `wanted`. Raises NotTaken, RequestRefused or
        Unanswered."""
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        answer = await self._http.request("POST", self._url, headers=self._headers(action, body), body=body)
        return self.read(answer, wanted)

    def read(self, answer: HttpAnswer, wanted: str) -> Mapping[str, Any]:
        """As `ask` does."""
        status = answer.status
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise NotTaken("http_429", "too many requests", retry_after_seconds(answer, self._clock.now()))
        response = _parse(answer.body, wanted)
        if response is None or (status != HTTPStatus.OK and not 400 <= status < 500):
            raise unread(status)
        if isinstance(response.get("Error"), dict):
            raise _failure(response["Error"], retry_after_seconds(answer, self._clock.now()))
        return response

    def _headers(self, action: str, body: bytes) -> dict[str, str]:
        at = int(self._clock.now().timestamp())
        return {
            "Content-Type": JSON,
            "Host": self._host,
            "X-TC-Action": action,
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


def is_internal(code: str) -> bool:
    """Of the family that leaves open what became of a message, also where it is not listed."""
    return code.split(".", 1)[0] == "InternalError"


def _parse(body: bytes, wanted: str) -> Mapping[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    response = answer.get("Response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        return None
    return response if isinstance(response.get("Error"), dict) or wanted in response else None


def _failure(error: Mapping[str, Any], retry_after: float | None) -> NotTaken | RequestRefused | Unanswered:
    code, message = word(error.get("Code")), error.get("Message")
    if code is None:
        return Unanswered("no_code", "the answer names an error without a code")
    known = CODES.get(code)
    if known is None and is_internal(code):
        return Unanswered(code, "the platform had trouble of its own")
    if known is None:
        return RequestRefused(code, loggable(message) or code)
    if known.kind == "retryable":
        return NotTaken(code, known.text, retry_after)
    if known.kind == "unknown":
        return Unanswered(code, known.text)
    return RequestRefused(code, known.text)
