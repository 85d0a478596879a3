"""How requests to Huawei are signed: SDK-HMAC-SHA256 with a key and a secret, or WSSE.

From page sms_05_0046 of the API reference. Huawei signs its status reports in the first way too, where it is asked to.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from yarl import URL

from services.carriers.ports import ReceiptsRequest

DATE = "%Y%m%dT%H%M%SZ"
UNSIGNED = "UNSIGNED-PAYLOAD"
CLOCK_SKEW = timedelta(minutes=15)

Digest = Literal["hex", "raw"]

_AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 +Access=(?P<key>[^,\s]+), *SignedHeaders=(?P<names>[^,\s]+), *"
    r"Signature=(?P<signature>[0-9a-fA-F]{64})"
)


def sign(
    secret: str, method: str, path: str, query: str, headers: Mapping[str, str], payload_hash: str, date: str
) -> str:
    """The SDK-HMAC-SHA256 signature in hex. `headers` are those to sign, in lower case; `query` is sorted already."""
    ordered = sorted(headers.items())
    lines = "".join([f"{name}:{value}\n" for name, value in ordered])
    names = ";".join([name for name, _ in ordered])
    canonical = f"{method}\n{path.rstrip('/')}/\n{query}\n{lines}\n{names}\n{payload_hash}"
    text = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


def signed_headers(
    key: str, secret: str, method: str, url: URL, headers: Mapping[str, str], body: bytes, now: datetime
) -> dict[str, str]:
    """`headers` with host, date and the signature over all of them. The hash of a form is not signed, as in Huawei's
    own SDK; that of anything else is."""
    date = now.strftime(DATE)
    sent = {**headers, "Host": url.host_port_subcomponent or "", "X-Sdk-Date": date}
    payload = hashlib.sha256(body).hexdigest()
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        payload = sent["X-Sdk-Content-Sha256"] = UNSIGNED
    to_sign = {name.lower(): value for name, value in sent.items()}
    signature = sign(secret, method, url.raw_path, url.raw_query_string, to_sign, payload, date)
    names = ";".join(sorted(to_sign))
    sent["Authorization"] = f"SDK-HMAC-SHA256 Access={key}, SignedHeaders={names}, Signature={signature}"
    return sent


def wsse_headers(key: str, secret: str, nonce: str, now: datetime, digest: Digest) -> dict[str, str]:
    """Authorization and X-WSSE. Some of Huawei's own samples encode the hash's hex text, others its bytes."""
    created = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    hashed = hashlib.sha256(f"{nonce}{created}{secret}".encode())
    encoded = base64.b64encode(hashed.hexdigest().encode() if digest == "hex" else hashed.digest()).decode("ascii")
    token = f'UsernameToken Username="{key}",PasswordDigest="{encoded}",Nonce="{nonce}",Created="{created}"'
    return {"Authorization": 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"', "X-WSSE": token}


def is_signed(key: str, secret: str, request: ReceiptsRequest, now: datetime) -> bool:
    """Whether a callback bears the signature that only Huawei and we can make, and is not an old one sent again."""
    given = _AUTHORIZATION.fullmatch(request.headers.get("authorization", "").strip())
    date = request.headers.get("x-sdk-date", "")
    if given is None or given["key"] != key or not _is_recent(date, now):
        return False
    url = URL(request.url, encoded=True)
    # A proxy may have put its own name in place of the one that was called.
    seen = {**request.headers, "host": url.host_port_subcomponent or ""}
    names = given["names"].lower().split(";")
    if "x-sdk-date" not in names or not set(names) <= seen.keys():
        return False
    headers = {name: seen[name].strip() for name in names}
    hashed = hashlib.sha256(request.body).hexdigest()
    payload = headers.get("x-sdk-content-sha256", hashed)
    if payload not in (hashed, UNSIGNED):
        return False
    query = "&".join(sorted(url.raw_query_string.split("&")))
    expected = sign(secret, request.method, url.raw_path, query, headers, payload, date)
    return hmac.compare_digest(expected, given["signature"].lower())


def _is_recent(date: str, now: datetime) -> bool:
    try:
        at = datetime.strptime(date, DATE).replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(now - at) <= CLOCK_SKEW
