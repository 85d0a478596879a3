"""HTTP: receipts and replies from carriers, Slack's requests in HTTP mode, and what operators ask for."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from bot.bad_config import BadConfig
from bot.health import Health
from bot.inbox import Inbox
from bot.metrics import CONTENT_TYPE, Metrics
from bot.receipt_writer import ReceiptWriter
from services.carriers.ports import (
    Carrier,
    ForeignReceipts,
    ReadsReplies,
    ReceiptsAnswer,
    ReceiptsRequest,
    UnreadableReceipts,
)

log = structlog.get_logger()

BODY_LIMIT = 1 << 20
# What carriers call with. The others are answered with 405.
CALLBACK_METHODS = ("GET", "POST")


@dataclass(frozen=True, slots=True)
class ReceiptsAddress:
    """Where one application's receipts come in, and its replies."""

    application_id: int
    token: str
    carrier: Carrier

    @property
    def path(self) -> str:
        """Below PUBLIC_URL."""
        return receipts_path(self.application_id, self.token)

    @property
    def replies_path(self) -> str:
        """The same for replies, which have an address of their own but no token of their own."""
        return replies_path(self.application_id, self.token)


def receipts_path(application_id: int, token: str) -> str:
    """Where an application's receipts come in."""
    return f"/receipts/{application_id}/{token}"


def replies_path(application_id: int, token: str) -> str:
    """Where what people reply comes in."""
    return f"/replies/{application_id}/{token}"


def make_web_app(
    addresses: Mapping[int, ReceiptsAddress],
    writer: ReceiptWriter,
    slack: AsyncApp | None,
    public_url: str | None = None,
    inbox: Inbox | None = None,
    signs: Sequence[web.RouteDef] = (),
    answered: Callable[[str, int], None] = lambda route, status: None,
) -> web.Application:
    """`slack` is given in HTTP mode only; its requests come to /slack/events, and Bolt checks their signature.

    Carriers may sign the address they call, which begins with `public_url`, whatever a proxy has made of it since.
    Without an `inbox` there is no address for replies, and what cannot be read is only logged. `signs` are an
    operator's routes (`signs_of_life`); `answered` is told each request's route and status.
    """
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_tell(answered)])

    async def slack_events(request: web.Request) -> web.Response:
        assert slack is not None
        return await to_aiohttp_response(await slack.async_dispatch(await to_bolt_request(request)))

    callbacks = _Callbacks(addresses, writer, public_url, inbox)
    for method in CALLBACK_METHODS:
        app.router.add_route(method, r"/receipts/{application:\d{1,18}}/{token}", callbacks.receipts)
        if inbox is not None:
            app.router.add_route(method, r"/replies/{application:\d{1,18}}/{token}", callbacks.replies)
    app.router.add_routes(signs)
    if slack is not None:
        app.router.add_post("/slack/events", slack_events)
    return app


class _Callbacks:
    """What carriers call. Whoever is turned away is said once in the log, and nothing of it is kept."""

    def __init__(
        self,
        addresses: Mapping[int, ReceiptsAddress],
        writer: ReceiptWriter,
        public_url: str | None,
        inbox: Inbox | None,
    ) -> None:
        self._addresses = addresses
        self._writer = writer
        self._public_url = public_url or ""
        self._inbox = inbox
        self._told: set[tuple[str, int | None]] = set()

    async def receipts(self, request: web.Request) -> web.Response:
        address = self._known(request, "receipts")
        carrier, application = address.carrier, address.application_id

        async def take(callback: ReceiptsRequest) -> None:
            try:
                received = carrier.read_receipts(callback)
            except UnreadableReceipts as error:
                if error.receipts:
                    await self._writer.store([(application, receipt) for receipt in error.receipts])
                raise
            await self._writer.store([(application, receipt) for receipt in received])

        return await self._take("receipts", address, request, address.path, take, carrier.receipts_answer)

    async def replies(self, request: web.Request) -> web.Response:
        address = self._known(request, "replies")
        carrier, application, inbox = address.carrier, address.application_id, self._inbox
        if not isinstance(carrier, ReadsReplies) or inbox is None:
            self._tell_once("replies.unexpected", application)
            raise web.HTTPNotFound

        async def take(callback: ReceiptsRequest) -> None:
            await inbox.store(application, carrier.read_replies(callback))

        return await self._take("replies", address, request, address.replies_path, take, carrier.replies_answer)

    def _known(self, request: web.Request, kind: str) -> ReceiptsAddress:
        address = self._addresses.get(int(request.match_info["application"]))
        # One answer for both, so that a stranger learns nothing.
        if address is None or not _is_same(address.token, request.match_info["token"]):
            self._tell_once(f"{kind}.stranger", None if address is None else address.application_id)
            raise web.HTTPNotFound
        return address

    async def _take(
        self,
        kind: str,
        address: ReceiptsAddress,
        request: web.Request,
        path: str,
        take: Callable[[ReceiptsRequest], Awaitable[None]],
        make_answer: Callable[[], ReceiptsAnswer],
    ) -> web.Response:
        """Store what the callback says, then answer; what cannot be read is kept, and answered the same way."""
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = request.raw_path.partition("?")[2]
        url = f"{self._public_url}{path}{'?' if query else ''}{query}"
        try:
            await take(ReceiptsRequest(request.method, headers, dict(request.query), body, url))
        except ForeignReceipts as error:
            self._tell_once(f"{kind}.foreign", address.application_id, error=str(error))
            raise web.HTTPUnauthorized from error
        except UnreadableReceipts as error:
            await self._keep_unread(kind, address, str(error), error.rest or body or query.encode())
        answer = make_answer()
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    async def _keep_unread(self, kind: str, address: ReceiptsAddress, reason: str, body: bytes) -> None:
        application = address.application_id
        kept = None if self._inbox is None else await self._inbox.keep(application, f"{kind}: {reason}", body)
        # `python -m bot unread-callbacks` prints it under this id.
        log.warning(f"{kind}.unreadable", application=application, error=reason, size=len(body), unread_callback=kept)

    def _tell_once(self, event: str, application: int | None, **facts: str) -> None:
        # Whoever knocks a thousand times is not to fill the log.
        if (event, application) not in self._told:
            self._told.add((event, application))
            log.warning(event, application=application, **facts)


async def listen(runner: web.AppRunner, host: str, port: int) -> int:
    """Returns the port, which the system chooses for 0. Raises BadConfig where it cannot be had."""
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise BadConfig(f"HTTP_PORT: cannot listen on {host}:{port}: {error.strerror}.") from error
    return int(runner.addresses[0][1])


def signs_of_life(health: Health, metrics: Metrics) -> list[web.RouteDef]:
    """`/healthz`: this process answers. `/readyz`, or `/healthz?ready=1`: it can do its work. `/metrics`: figures.

    They tell nothing of people, but are for the inside: a proxy should pass on carriers' and Slack's addresses alone.
    """

    async def healthz(request: web.Request) -> web.Response:
        return await readyz(request) if request.query.get("ready") == "1" else web.json_response({"live": True})

    async def readyz(_request: web.Request) -> web.Response:
        found = await health.ready()
        return web.json_response(found.as_json(), status=200 if found.ok else 503)

    async def figures(_request: web.Request) -> web.Response:
        # It reads the database.
        return web.Response(body=await asyncio.to_thread(metrics.text), headers={"Content-Type": CONTENT_TYPE})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", figures)]


def _tell(answered: Callable[[str, int], None]) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        status = 500
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            resource = request.match_info.route.resource
            # Every wrong address is one.
            answered("none" if resource is None else resource.canonical, status)
        return response

    return middleware


def _is_same(token: str, given: str) -> bool:
    """Takes as long whatever is given. Text that is not ASCII can be compared only as bytes."""
    return hmac.compare_digest(token.encode(), given.encode("utf-8", "surrogatepass"))
