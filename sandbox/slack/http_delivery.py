"""The app behind a request URL: signed POSTs, as when Socket Mode is off."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from sandbox.slack.core import Core
from sandbox.slack.delivery import Answer, Attempt, Delivery, Kind, Undelivered

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Slack's request signature, version v0."""
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
    return f"v0={digest.hexdigest()}"


@dataclass(frozen=True)
class _Response:
    status: int
    headers: dict[str, str]
    text: str


class HttpDelivery(Delivery):
    """One request URL for everything. It counts as connected once it has answered the url_verification challenge."""

    def __init__(self, core: Core, request_url: str, signing_secret: str, verify_every: float = 0.2) -> None:
        super().__init__(core)
        self.request_url = request_url
        self.signing_secret = signing_secret
        self.verify_every = verify_every
        self._verified = False
        self._session: aiohttp.ClientSession | None = None

    @property
    def connected(self) -> bool:
        """True since the last challenge was answered, until a request cannot be made."""
        return self._verified

    async def start(self) -> None:
        """Ask the request URL to prove itself, again and again until it does."""
        self._session = aiohttp.ClientSession()
        self.core.spawn(self._verify_until_answered())

    async def stop(self) -> None:
        """Close what connections are open."""
        if self._session is not None:
            await self._session.close()

    async def verify(self) -> bool:
        """Send one url_verification challenge; true when the app echoed it."""
        challenge = secrets.token_hex(16)
        body = json.dumps({"token": "unused", "challenge": challenge, "type": "url_verification"}).encode()
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            response = await self._post(body, _JSON, {})
            if response.status == 200 and challenge in response.text:
                self._set_verified(True)
                return True
        return False

    async def _verify_until_answered(self) -> None:
        answered = self._verified or await self.verify()
        while not answered:
            await asyncio.sleep(self.verify_every)
            answered = await self.verify()

    def _set_verified(self, verified: bool) -> None:
        if verified != self._verified:
            self._verified = verified
            self.core.live.state_changed()
            if not verified:
                self.core.spawn(self._verify_until_answered())

    async def _post(self, body: bytes, content_type: str, headers: dict[str, str]) -> _Response:
        assert self._session is not None
        stamp = str(int(time.time()))
        signed = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (sandbox)",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature(self.signing_secret, stamp, body),
            **headers,
        }
        limit = aiohttp.ClientTimeout(total=self.core.timings.acknowledge)
        async with self._session.post(self.request_url, data=body, headers=signed, timeout=limit) as response:
            answered = {name.lower(): value for name, value in response.headers.items()}
            return _Response(response.status, answered, await response.text())

    async def ask(self, kind: Kind, payload: dict[str, Any], *, accepts_payload: bool) -> Answer:
        """POST a form: a command's fields as they are, an interaction as JSON in the field `payload`."""
        fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
        try:
            response = await self._post(urlencode(fields).encode(), _FORM, {})
        except TimeoutError:
            return Answer(failure="operation_timeout")
        except aiohttp.ClientError:
            self._set_verified(False)
            return Answer(failure="dispatch_failed")
        if response.status != 200:
            return Answer(failure="dispatch_failed")
        return Answer(_said(response) if accepts_payload else None)

    async def try_event(self, payload: dict[str, Any], attempt: Attempt) -> Undelivered | None:
        """POST an event as JSON; anything but a 2xx within the time limit is a failure, repeated unless told not to."""
        headers = {}
        if attempt.number:
            headers = {"X-Slack-Retry-Num": str(attempt.number), "X-Slack-Retry-Reason": attempt.reason}
        try:
            response = await self._post(json.dumps(payload).encode(), _JSON, headers)
        except TimeoutError:
            return Undelivered("http_timeout")
        except aiohttp.ClientError:
            self._set_verified(False)
            return Undelivered("connection_failed")
        if 200 <= response.status < 300:
            return None
        return Undelivered("http_error", again=response.headers.get("x-slack-no-retry") != "1")


def _said(response: _Response) -> dict[str, Any] | None:
    if not response.text:
        return None
    if response.headers.get("content-type", "").startswith(_JSON):
        content = json.loads(response.text)
        return content if isinstance(content, dict) else None
    return {"text": response.text}
