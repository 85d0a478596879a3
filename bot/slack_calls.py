"""Slack's Web API, with each call counted."""

from __future__ import annotations

from typing import Any, Protocol

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import HttpRequest, HttpResponse, RetryState
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.environment import SlackSettings


class Counting(Protocol):
    """Who is told; `bot.metrics.Metrics` is one."""

    def slack_called(self, method: str, result: str) -> None: ...

    def slack_rate_limited(self, method: str) -> None: ...


class Uncounted:
    """Nobody."""

    def slack_called(self, method: str, result: str) -> None:
        """Is not counted."""

    def slack_rate_limited(self, method: str) -> None:
        """Nor is this."""


class CountedClient(AsyncWebClient):
    """Waits when Slack says to, and repeats nothing else: a post that may have arrived must not be posted again."""

    def __init__(self, token: str | None, base_url: str, counting: Counting) -> None:
        super().__init__(token=token, base_url=base_url, retry_handlers=[_CountedWaiting(counting)])
        self._counting = counting

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        """As Slack's own, for which every method of the client is a short form."""
        result = "broken"
        try:
            answer = await super().api_call(api_method, **arguments)
            result = "ok"
        except SlackApiError as error:
            result = "ratelimited" if error.response.get("error") == "ratelimited" else "refused"
            raise
        except (aiohttp.ClientError, TimeoutError, OSError):
            result = "unanswered"
            raise
        finally:
            self._counting.slack_called(api_method, result)
        return answer


def slack_client(settings: SlackSettings, counting: Counting | None = None) -> AsyncWebClient:
    """Slack's Web API with the bot's token."""
    return make_client(settings.bot_token, settings.api_url, counting)


def make_client(token: str | None, api_url: str, counting: Counting | None = None) -> AsyncWebClient:
    """The same with this token."""
    return CountedClient(token, api_url, counting or Uncounted())


class _CountedWaiting(AsyncRateLimitErrorRetryHandler):
    def __init__(self, counting: Counting) -> None:
        super().__init__(max_retry_count=3)
        self._counting = counting

    async def prepare_for_next_attempt_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> None:
        """Waits as long as Slack says."""
        self._counting.slack_rate_limited(request.url.rstrip("/").rpartition("/")[2])
        await super().prepare_for_next_attempt_async(state=state, request=request, response=response, error=error)
