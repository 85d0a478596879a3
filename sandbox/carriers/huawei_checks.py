"""What Huawei's API refuses of a request before it looks at the numbers: signature or WSSE, headers, fields."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
CLOCK_SKEW = timedelta(minutes=15)
MAX_NUMBERS = 500
MAX_TO = 21_999
MAX_CONTENT = 64 * 1024
VARIABLE = re.compile(r"\$?\{\w+\}")
AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 Access=(?P<key>[^,\s]+), ?SignedHeaders=(?P<signed>[^,\s]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


WSSE = re.compile(
    r'UsernameToken Username="(?P<key>[^"]+)",PasswordDigest="(?P<digest>[^"]+)",Nonce="(?P<nonce>[0-9A-Za-z]{1,128})",'
    r'Created="(?P<created>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"'
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
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: str,
    secret: str,
    now: datetime,
    query: str = "",
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
    canonical = [method, path if path.endswith("/") else path + "/", "&".join(sorted(query.split("&")))]
    canonical += [f"{name}:{headers[name].strip()}" for name in names]
    canonical += ["", ";".join(names), payload]
    expected = _signature(secret, date, canonical)
    if not hmac.compare_digest(expected, given["signature"]):
        raise Refused(401, "E000045", "the signature does not match")


def _signature(secret: str, date: str, canonical: list[str]) -> str:
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    return hmac.digest(secret.encode(), f"SDK-HMAC-SHA256\n{date}\n{digest}".encode(), "sha256").hex()


def sign_callback(url: str, body: bytes, *, key: str, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a POST of ours to a customer, where the customer has asked for signed ones."""
    parts, date = urlsplit(url), now.strftime("%Y%m%dT%H%M%SZ")
    path = parts.path if parts.path.endswith("/") else parts.path + "/"
    canonical = ["POST", path, "&".join(sorted(parts.query.split("&"))), f"host:{parts.netloc}", f"x-sdk-date:{date}"]
    canonical += ["", "host;x-sdk-date", hashlib.sha256(body).hexdigest()]
    signature = _signature(secret, date, canonical)
    authorization = f"SDK-HMAC-SHA256 Access={key}, SignedHeaders=host;x-sdk-date, Signature={signature}"
    return {"X-Sdk-Date": date, "Authorization": authorization}


def check_wsse(headers: Mapping[str, str], *, key: str, secret: str, now: datetime) -> None:
    """Authorization and X-WSSE, with the digest in either of the forms of Huawei's own samples. Raises Refused."""
    if headers.get("authorization") != 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"':
        raise Refused(401, "E000001", "Authorization is wrong")
    token = WSSE.fullmatch(headers.get("x-wsse", ""))
    if token is None:
        raise Refused(401, "E000020", "X-WSSE is missing or malformed")
    if token["key"] != key:
        raise Refused(401, "E000102", "app_key is invalid")
    created = datetime.strptime(token["created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if abs(now - created) > timedelta(hours=24):
        raise Refused(401, "E000110", "Created is out of range")
    hashed = hashlib.sha256((token["nonce"] + token["created"] + secret).encode())
    forms = (base64.b64encode(hashed.hexdigest().encode()), base64.b64encode(hashed.digest()))
    if token["digest"].encode() not in forms:
        raise Refused(401, "E000105", "PasswordDigest is invalid")


def read_diff(content_type: str, body: bytes) -> list[Form]:
    """The entries of a batchSendDiffSms. Raises Refused where the whole request is wrong."""
    if content_type.split(";")[0].strip().lower() != JSON:
        raise Refused(415, "E000040", f"Content-Type must be {JSON}")
    try:
        fields = json.loads(body)
        content = fields["smsContent"]
        entries = [_entry(fields, each) for each in content]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(400, "E000000", "the body is not a batchSendDiffSms") from None
    size = len(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())
    if not entries or sum(len(entry.numbers) for entry in entries) > MAX_NUMBERS or size > MAX_CONTENT:
        raise Refused(400, "E000503", "smsContent is empty, too long, or holds more than 500 numbers")
    return entries


def _entry(fields: Mapping[str, Any], entry: Mapping[str, Any]) -> Form:
    numbers, variables = entry["to"], entry.get("templateParas", [])
    if not isinstance(numbers, list) or not all(isinstance(value, str) for value in (*numbers, *variables)):
        raise ValueError
    return Form(
        sender=_checked("from", fields["from"], 21),
        numbers=_numbers(",".join(numbers)),
        template=_checked("templateId", entry["templateId"], 32),
        variables=list(variables),
        callback=_callback(fields.get("statusCallback", "")),
        reference=_extend(fields.get("extend")),
        signature=entry.get("signature", ""),
    )


def read_form(content_type: str, body: bytes) -> Form:
    """The fields of a batchSendSms. Raises Refused where one of them is missing or wrong for the whole request."""
    if content_type.split(";")[0].strip().lower() != FORM:
        raise Refused(415, "E000040", f"Content-Type must be {FORM}")
    try:
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50))
    except ValueError:
        raise Refused(400, "E000000", "the body is not a form") from None
    return Form(
        sender=_checked("from", fields.get("from", ""), 21),
        numbers=_numbers(_checked("to", fields.get("to", ""), MAX_TO)),
        template=_checked("templateId", fields.get("templateId", ""), 32),
        variables=_variables(fields.get("templateParas", "")),
        callback=_callback(fields.get("statusCallback", "")),
        reference=_extend(fields.get("extend")),
        signature=fields.get("signature", ""),
    )


def _checked(name: str, value: str, longest: int) -> str:
    if not 1 <= len(value) <= longest:
        raise Refused(400, "E000503", f"{name} is missing or too long")
    return value


def _extend(extend: str | None) -> str:
    if extend is not None and not (1 <= len(extend) <= 128 and "{" not in extend and "}" not in extend):
        raise Refused(400, "E000503", "extend is invalid")
    return extend or ""


def _callback(callback: str) -> str:
    if callback and not callback.startswith(("http://", "https://")):
        raise Refused(400, "E000503", "statusCallback is invalid")
    return callback


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
