"""The edge: acknowledge, find out who asks, call the handler, turn errors into words, answer.

One wrapper stands around every listener and lets no exception out: Bolt loses an acknowledgement when a listener
raises right after it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bot.answers import Answers, Destination, FormTooLate
from bot.logs import a_request, current_request, in_this_context
from bot.people import People
from bot.roles import Roles
from bot.workspaces import Workspaces
from handlers.errors import explain, form_too_late, is_mistyped, still_working, unexpected
from handlers.help import mistake, usage
from handlers.replies import FieldErrors, Later, Nothing, Reply, Say
from handlers.requests import Click, Command, Request, Submission, Upload
from handlers.roles import require
from handlers.routes import ROUTES, Kind, Route
from services.clock import Clock
from services.default_regions import DefaultRegions
from services.errors import ServiceError

log = structlog.get_logger()

HANDLER_THREADS = 8
# Slack shows an error where a form is not acknowledged within 3 s. What is not done by then, such as a merge of a
# million numbers, is answered in a message; what is wrong with the form is found long before.
FORM_SECONDS = 2.0

Body = Mapping[str, Any]
# Bolt's `ack`: with nothing, with a reply for Slack, or with a view's errors.
Acknowledge = Callable[..., Awaitable[object]]


class Counting(Protocol):
    """Who is told of requests; `bot.metrics.Metrics` is one."""

    def acknowledged(self, kind: str, seconds: float) -> None: ...

    def request_ended(self, kind: str, result: str) -> None: ...


class Uncounted:
    """Nobody."""

    def acknowledged(self, kind: str, seconds: float) -> None:
        """Is not counted."""

    def request_ended(self, kind: str, result: str) -> None:
        """Nor is this."""


class Edge:
    """Registers every route with Bolt. `services` maps a route's `service` to the object its handler takes.

    `worked` is called after each handler: there may be something to send, import or post.
    """

    def __init__(
        self,
        app: AsyncApp,
        workspaces: Workspaces,
        services: Mapping[str, object],
        clock: Clock,
        worked: Callable[[], None],
        roles: Roles,
        counting: Counting | None = None,
        regions: DefaultRegions | None = None,
    ) -> None:
        self._services = services
        self._clock = clock
        self._worked = worked
        self._counting = counting or Uncounted()
        self._roles = roles
        self._regions = regions or DefaultRegions()
        self._people = People(workspaces)
        self._answers = Answers(workspaces)
        self._workspaces = workspaces
        self._threads = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="handler")
        self._form_seconds = FORM_SECONDS
        self._under_way: set[asyncio.Task[None]] = set()
        for route in ROUTES:
            _LISTEN[route.kind](self, app, route)

    async def drain(self, seconds: float) -> None:
        """Let the requests under way be answered, but wait no longer than so many seconds."""
        until = time.monotonic() + seconds
        while self._under_way and (left := until - time.monotonic()) > 0:
            await asyncio.wait(self._under_way, timeout=left)

    async def stop(self) -> None:
        """Let handlers under way answer."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    def _on_command(self, app: AsyncApp, route: Route) -> None:
        async def listener(ack: Acknowledge, body: Body) -> None:
            await ack()
            place = Destination(
                body["team_id"], body["channel_id"], body["user_id"], body["response_url"], body["trigger_id"]
            )
            if body.get("text", "").strip().lower() == "help":
                await self._guard(place, self._answers.give(usage(f"{route.key} {route.usage}", route.does), place))
                return

            async def make() -> Request:
                return Command(
                    **await self._context(body["team_id"], body["user_id"], body["channel_id"], route),
                    name=body["command"],
                    text=_plain(body.get("text", "")),
                )

            await self._guard(place, self._handle(route, make, place))

        app.command(route.key)(self._tracked(route, listener))

    def _on_action(self, app: AsyncApp, route: Route) -> None:
        async def listener(ack: Acknowledge, body: Body) -> None:
            await ack()
            place = _place_of_click(body)

            async def make() -> Request:
                action = body["actions"][0]
                chosen = action.get("selected_option") or {}
                return Click(
                    **await self._context(body["team"]["id"], body["user"]["id"], place.channel, route),
                    value=action.get("value") or chosen.get("value") or "",
                )

            await self._guard(place, self._handle(route, make, place))

        app.action(route.key)(self._tracked(route, listener))

    def _on_view(self, app: AsyncApp, route: Route) -> None:
        async def listener(ack: Acknowledge, body: Body) -> None:
            carried = json.loads(body["view"]["private_metadata"])
            place = Destination(
                body["team"]["id"],
                carried["channel"],
                body["user"]["id"],
                carried["response_url"],
                body["trigger_id"],
                replaces=carried["replaces"],
            )

            async def make() -> Request:
                values, lists = _values(body["view"]["state"]["values"])
                return Submission(
                    **await self._context(body["team"]["id"], body["user"]["id"], place.channel, route),
                    values=values,
                    lists=lists,
                    context=carried["context"],
                )

            if not route.acknowledged_with_reply:
                await ack()
                await self._guard(place, self._handle(route, make, place))
                return
            work = asyncio.create_task(self._reply(route, make, place))
            done, _ = await asyncio.wait([work], timeout=self._form_seconds)
            if not done:
                await ack()
                await self._answers.try_to_say(still_working(), place)
            reply = await work
            if done and isinstance(reply, FieldErrors):
                await ack(response_action="errors", errors=dict(reply.errors))
                return
            if done:
                await ack()
            await self._guard(place, self._give(reply, route, make, place))

        app.view(route.key)(self._tracked(route, listener))

    def _on_event(self, app: AsyncApp, route: Route) -> None:
        async def listener(ack: Acknowledge, body: Body) -> None:
            await ack()
            event = body["event"]
            if event.get("subtype") != "file_share" or event.get("bot_id"):
                return
            for shared in event.get("files", ()):
                await self._on_file(route, body["team_id"], event, shared)

        app.event(route.key)(self._tracked(route, listener))

    async def _on_file(self, route: Route, team: str, event: Body, shared: Body) -> None:
        place = Destination(team, event["channel"], event["user"])

        async def make() -> Request:
            file = await self._whole_file(team, shared)
            return Upload(
                **await self._context(team, event["user"], event["channel"], route),
                file_id=file["id"],
                file_name=file.get("name") or file["id"],
                file_size=file.get("size") or 0,
                file_url=_address(file),
                text=_plain(event.get("text") or ""),
                # A reply's own ts begins no thread.
                ts=event.get("thread_ts") or event["ts"],
            )

        await self._guard(place, self._handle(route, make, place))

    async def _whole_file(self, team: str, shared: Body) -> Body:
        """Slack Connect and files still being scanned come without their address; Slack may not have it at all."""
        if _address(shared):
            return shared
        client = await self._workspaces.client(team)
        try:
            return dict((await client.files_info(file=shared["id"]))["file"])
        except SlackApiError as error:
            log.warning("file.unknown", file=shared["id"], error=error.response.get("error"))
            return shared

    async def _context(self, team: str, user: str, channel: str, route: Route) -> dict[str, Any]:
        return {
            "workspace": team,
            "person": user,
            "zone": await self._people.zone(team, user),
            "locale": await self._people.locale(team, user),
            "region": self._regions.of(team),
            "channel": channel,
            "now": self._clock.now(),
            "bot_in_channel": not route.needs_channel or await self._people.bot_is_in(team, channel),
        }

    async def _handle(self, route: Route, make: Callable[[], Awaitable[Request]], place: Destination) -> None:
        await self._give(await self._reply(route, make, place), route, make, place)

    async def _give(
        self, reply: Reply, route: Route, make: Callable[[], Awaitable[Request]], place: Destination
    ) -> None:
        """Deliver a reply, and what it says will follow."""
        await self._answers.give(reply, place)
        if isinstance(reply, Later):
            work = reply.work
            following = replace(route, handler=lambda _request, _service: work())
            await self._answers.give(await self._reply(following, make, place), place)

    async def _reply(self, route: Route, make: Callable[[], Awaitable[Request]], place: Destination) -> Reply:
        """The handler's reply, or the sentence for what went wrong."""
        began = time.monotonic()
        zone = None
        try:
            request = await make()
            zone = request.zone
            needed = route.needs(request)
            if needed is None:
                return Nothing()
            require(needed, await self._roles.of(request.workspace, request.person), self._roles.holders(needed))
            work = in_this_context(route.handler)
            loop = asyncio.get_running_loop()
            reply: Reply = await loop.run_in_executor(self._threads, work, request, self._services[route.service])
            self._counting.request_ended(route.kind.value, "answered")
            return reply
        except ServiceError as error:
            self._counting.request_ended(route.kind.value, "refused")
            log.info("request.refused", route=route.key, error=type(error).__name__)
            sentence = explain(error, zone or await self._people.zone(place.workspace, place.person))
            if route.kind is Kind.COMMAND and is_mistyped(error):
                return mistake(sentence, f"{route.key} {route.usage}")
            return Say(sentence)
        except Exception:
            self._counting.request_ended(route.kind.value, "unexpected")
            return Say(_log_unexpected(route.key))
        finally:
            log.info("request.worked", route=route.key, seconds=round(time.monotonic() - began, 3))
            self._worked()

    async def _guard(self, place: Destination, work: Awaitable[None]) -> None:
        try:
            await work
        except FormTooLate:
            await self._answers.try_to_say(form_too_late(), place)
        except Exception:
            await self._answers.try_to_say(_log_unexpected("answer"), place)

    def _tracked(self, route: Route, listener: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def safe(ack: Acknowledge, body: Body) -> None:
            began = time.monotonic()

            async def acknowledge(*arguments: object, **named: object) -> None:
                await ack(*arguments, **named)
                self._counting.acknowledged(route.kind.value, time.monotonic() - began)

            current = asyncio.current_task()
            assert current is not None
            self._under_way.add(current)
            with a_request():
                try:
                    await listener(acknowledge, body)
                except Exception:
                    _log_unexpected("listener")
                finally:
                    self._under_way.discard(current)

        return safe


_LISTEN: Mapping[Kind, Callable[[Edge, AsyncApp, Route], None]] = {
    Kind.COMMAND: Edge._on_command,
    Kind.ACTION: Edge._on_action,
    Kind.VIEW: Edge._on_view,
    Kind.EVENT: Edge._on_event,
}


def _address(file: Body) -> str:
    return file.get("url_private_download") or file.get("url_private") or ""


def _place_of_click(body: Body) -> Destination:
    channel = (body.get("channel") or body.get("container") or {}).get("id") or body["container"].get("channel_id", "")
    return Destination(
        body["team"]["id"],
        channel,
        body["user"]["id"],
        body.get("response_url"),
        body.get("trigger_id"),
        replaces=bool(body.get("container", {}).get("is_ephemeral")),
    )


def _values(state: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    values, lists = {}, {}
    for block_id, elements in state.items():
        for element in elements.values():
            chosen = element.get("selected_option") or {}
            values[block_id] = element.get("value") or chosen.get("value") or ""
            if "selected_options" in element:
                lists[block_id] = tuple(each["value"] for each in element["selected_options"] or ())
    return values, lists


def _plain(text: str) -> str:
    """Slack escapes three characters in what people type."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _log_unexpected(where: str) -> str:
    reference = current_request()
    log.exception("unexpected", where=where, reference=reference)
    return unexpected(reference)
