"""HTTP: receipts from carriers, Slack's requests in HTTP mode, and a sign of life."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from bot.receipt_writer import ReceiptWriter
from services.carriers.ports import Carrier, ForeignReceipts, ReceiptsRequest, UnreadableReceipts

log = structlog.get_logger()

BODY_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class ReceiptsAddress:
    """Where one application's receipts come in."""

    application_id: int
    token: str
    carrier: Carrier

    @property
    def path(self) -> str:
        """Below PUBLIC_URL."""
        return receipts_path(self.application_id, self.token)


def receipts_path(application_id: int, token: str) -> str:
    """Where an application's receipts come in."""
    return f"/receipts/{application_id}/{token}"


def make_web_app(
    addresses: Mapping[int, ReceiptsAddress],
    writer: ReceiptWriter,
    slack: AsyncApp | None,
    public_url: str | None = None,
) -> web.Application:
    """`slack` is given in HTTP mode only; its requests come to /slack/events, and Bolt checks their signature.

    Carriers may sign the address they call, which begins with `public_url`, whatever a proxy has made of it since.
    """
    app = web.Application(client_max_size=BODY_LIMIT)
    told: set[tuple[str, int | None]] = set()

    def tell_once(event: str, application: int | None, **facts: str) -> None:
        # Whoever knocks a thousand times is not to fill the log.
        if (event, application) not in told:
            told.add((event, application))
            log.warning(event, application=application, **facts)

    async def receipts(request: web.Request) -> web.Response:
        address = addresses.get(int(request.match_info["application"]))
        # One answer for both, so that a stranger learns nothing.
        if address is None or not _is_same(address.token, request.match_info["token"]):
            tell_once("receipts.stranger", None if address is None else address.application_id)
            raise web.HTTPNotFound
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = request.raw_path.partition("?")[2]
        url = f"{public_url or ''}{address.path}{'?' if query else ''}{query}"
        try:
            received = address.carrier.read_receipts(
                ReceiptsRequest(request.method, headers, dict(request.query), body, url)
            )
        except ForeignReceipts as error:
            tell_once("receipts.foreign", address.application_id, error=str(error))
            raise web.HTTPUnauthorized from error
        except UnreadableReceipts as error:
            log.warning("receipts.unreadable", application=address.application_id, error=str(error), size=len(body))
        else:
            await writer.store([(address.application_id, receipt) for receipt in received])
        answer = address.carrier.receipts_answer()
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def slack_events(request: web.Request) -> web.Response:
        assert slack is not None
        return await to_aiohttp_response(await slack.async_dispatch(await to_bolt_request(request)))

    app.router.add_route("*", r"/receipts/{application:\d{1,18}}/{token}", receipts)
    app.router.add_get("/healthz", healthz)
    if slack is not None:
        app.router.add_post("/slack/events", slack_events)
    return app


def _is_same(token: str, given: str) -> bool:
    """Takes as long whatever is given. Text that is not ASCII can be compared only as bytes."""
    return hmac.compare_digest(token.encode(), given.encode("utf-8", "surrogatepass"))
