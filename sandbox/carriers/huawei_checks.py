"""What Huawei's API refuses of a request before it looks at the numbers: signature, headers, fields."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

FORM = "application/x-www-form-urlencoded"
CLOCK_SKEW = timedelta(minutes=15)
MAX_NUMBERS = 500
MAX_TO = 21_999
VARIABLE = re.compile(r"\$?\{\w+\}")
AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 Access=(?P<key>[^,\s]+), ?SignedHeaders=(?P<signed>[^,\s]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


class Refused(Exception):
    """The whole request is refused with this HTTP status, code and description."""

    def __init__(self, http_status: int, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.http_status, self.code, self.description = http_status, code, description


@dataclass(frozen=True, slots=True)
class Form:
    """A request's fields after the checks. `numbers` are as they were written; empty text means not given."""

    sender: str
    numbers: list[str]
    template: str
    variables: list[str]
    callback: str
    reference: str
    signature: str


def check_signature(
    method: str, path: str, headers: Mapping[str, str], body: bytes, *, key: str, secret: str, now: datetime
) -> None:
    """SDK-HMAC-SHA256 as API Gateway checks it; `headers` have lower-case names. Raises Refused."""
    header = headers.get("authorization", "")
    if not header:
        raise Refused(401, "E000001", "Authorization header is missing")
    given = AUTHORIZATION.fullmatch(header)
    if given is None:
        raise Refused(401, "E000045", "Authorization header is malformed")
    if given["key"] != key:
        raise Refused(401, "E000102", "app_key is invalid")
    date = headers.get("x-sdk-date", "")
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused(401, "E000110", "X-Sdk-Date is missing or malformed") from None
    if abs(now - signed_at) > CLOCK_SKEW:
        raise Refused(401, "E000110", "X-Sdk-Date is out of range")
    names = given["signed"].split(";")
    if names != sorted(names) or not {"host", "x-sdk-date"} <= set(names) or not set(names) <= set(headers):
        raise Refused(401, "E000045", "SignedHeaders are wrong")
    payload = headers["x-sdk-content-sha256"] if "x-sdk-content-sha256" in names else hashlib.sha256(body).hexdigest()
    canonical = [method, path if path.endswith("/") else path + "/", ""]
    canonical += [f"{name}:{headers[name].strip()}" for name in names]
    canonical += ["", ";".join(names), payload]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    expected = hmac.digest(secret.encode(), f"SDK-HMAC-SHA256\n{date}\n{digest}".encode(), "sha256").hex()
    if not hmac.compare_digest(expected, given["signature"]):
        raise Refused(401, "E000045", "the signature does not match")


def read_form(content_type: str, body: bytes) -> Form:
    """The fields of a batchSendSms. Raises Refused where one of them is missing or wrong for the whole request."""
    if content_type.split(";")[0].strip().lower() != FORM:
        raise Refused(415, "E000040", f"Content-Type must be {FORM}")
    try:
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50))
    except ValueError:
        raise Refused(400, "E000000", "the body is not a form") from None
    for name, longest in (("from", 21), ("to", MAX_TO), ("templateId", 32)):
        if not 1 <= len(fields.get(name, "")) <= longest:
            raise Refused(400, "E000503", f"{name} is missing or too long")
    extend = fields.get("extend")
    if extend is not None and not (1 <= len(extend) <= 128 and "{" not in extend and "}" not in extend):
        raise Refused(400, "E000503", "extend is invalid")
    callback = fields.get("statusCallback", "")
    if callback and not callback.startswith(("http://", "https://")):
        raise Refused(400, "E000503", "statusCallback is invalid")
    return Form(
        sender=fields["from"],
        numbers=_numbers(fields["to"]),
        template=fields["templateId"],
        variables=_variables(fields.get("templateParas", "")),
        callback=callback,
        reference=extend or "",
        signature=fields.get("signature", ""),
    )


def _numbers(to: str) -> list[str]:
    if not re.fullmatch(r"[0-9+,]+", to):
        raise Refused(400, "E000503", "to holds an illegal character")
    numbers = to.split(",")
    if len(numbers) > MAX_NUMBERS:
        raise Refused(400, "E000503", f"to holds more than {MAX_NUMBERS} numbers")
    return numbers


def _variables(text: str) -> list[str]:
    if not text:
        return []
    try:
        variables = json.loads(text)
    except ValueError:
        variables = None
    if not isinstance(variables, list) or not all(isinstance(value, str) for value in variables):
        raise Refused(400, "E000000", "templateParas is not a JSON array of strings")
    return variables


def canonical_number(text: str) -> str | None:
    """`+` and E.164, or None for a number that fails alone. Only mainland numbers may come without their +86."""
    if re.fullmatch(r"1[3-9]\d{9}", text):
        return "+86" + text
    if re.fullmatch(r"\+861[3-9]\d{9}", text):
        return text
    return text if re.fullmatch(r"\+(?!86)[1-9]\d{6,14}", text) else None


def segments(text: str) -> int:
    """Parts of a mainland SMS: 70 UTF-16 units in one, else 67 in each."""
    units = len(text.encode("utf-16-le")) // 2
    return 1 if units <= 70 else -(-units // 67)
