"""HTTP as carriers need it: what went wrong says whether the request can have arrived.

NotTaken     nothing was written: the name did not resolve, the connection or its TLS was refused, no connection in time
Unanswered   the request may have been written: read timeout, reset, an answer that is cut short or too large
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aiohttp import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from services.errors import NotTaken, Unanswered

# Why a request never left, as a code.
NOT_CONNECTED = frozenset({"connect_timeout", "name_not_resolved", "tls_failed", "connection_refused"})
LONGEST_RETRY_AFTER_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """One pool of connections, for all carriers of one event loop.

    No redirect is followed, no cookie kept, no request sent a second time. `longest_seconds` bounds one request from
    waiting for a connection to the last byte of its answer, so a lease can outlive it.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 5.0,
        read_seconds: float = 10.0,
        max_answer_bytes: int = 4 * 1024 * 1024,
        connections: int = 100,
    ) -> None:
        self._timeout = ClientTimeout(
            total=connect_seconds + read_seconds, connect=connect_seconds, sock_read=read_seconds
        )
        self._max_answer_bytes = max_answer_bytes
        self._connections = connections
        self._session: ClientSession | None = None
        # aiohttp rounds a timeout above 5 s up to a whole second of the loop's clock
        self.longest_seconds = connect_seconds + read_seconds + 1.0

    async def request(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> HttpAnswer:
        """Send once and read the answer, whatever its status. `url` is percent-encoded already and sent as it is.

        Raises NotTaken or Unanswered.
        """
        try:
            async with self._open().request(
                method, URL(url, encoded=True), headers=headers, data=body or None, allow_redirects=False
            ) as response:
                content = await self._read(response)
                return HttpAnswer(
                    response.status, {name.lower(): value for name, value in response.headers.items()}, content
                )
        except (ClientError, OSError, TimeoutError) as error:
            raise Unanswered(_code(error), _reason(error)) from error

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=self._connections, keepalive_timeout=15.0),
                timeout=self._timeout,
                cookie_jar=DummyCookieJar(),
                middlewares=(_once,),
                headers={"User-Agent": "slack-bulk-sms"},
            )
        return self._session

    async def _read(self, response: ClientResponse) -> bytes:
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > self._max_answer_bytes:
                response.close()
                raise Unanswered("answer_too_large", f"the answer is over {self._max_answer_bytes} bytes")
        return b"".join(pieces)


async def _once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    # Errors are mapped here and not only in Http.request: aiohttp sends a GET again when a kept connection breaks, and
    # does so on its own error classes, which this hides from it.
    try:
        return await handler(request)
    except (ClientConnectorError, ConnectionTimeoutError) as error:
        raise NotTaken(_code(error), _reason(error)) from error
    except (ClientError, OSError, TimeoutError) as error:
        raise Unanswered(_code(error), _reason(error)) from error


def _code(error: BaseException) -> str:
    match error:
        case ConnectionTimeoutError():
            return "connect_timeout"
        case ClientConnectorDNSError():
            return "name_not_resolved"
        case ClientSSLError():
            return "tls_failed"
        case ClientConnectorError():
            return "connection_refused"
        case TimeoutError():
            return "read_timeout"
        case _:
            return "connection_lost"


def _reason(error: BaseException) -> str:
    # only these messages are free of the address, whose query may hold a password
    return str(error) if isinstance(error, ClientConnectorError) else type(error).__name__


def retry_after_seconds(answer: HttpAnswer, now: datetime) -> float | None:
    """The Retry-After header as seconds from `now`, at most an hour; None when there is none that can be read."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:9])
    else:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
