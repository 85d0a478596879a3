"""Files fetched over real sockets: what comes is checked, and the token goes nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.downloads import LIMIT_BYTES, Downloads
from sandbox.slack.workspace import TEAM_ID
from services.errors import BadFile

TOKEN = "xoxb-secret"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def token(_workspace: str) -> str:
    return TOKEN


class Host:
    """A server that answers as told, in turn; the last answer stays. `tokens` is what each request carried."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[Handler] = []
        self.tokens: list[str | None] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.tokens.append(request.headers.get("Authorization"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/{path:.*}", self.serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


async def hosting() -> AsyncIterator[Host]:
    made = Host()
    runner = await made.start()
    yield made
    await runner.cleanup()


slack = pytest.fixture(hosting, name="slack")
elsewhere = pytest.fixture(hosting, name="elsewhere")


@pytest.fixture
async def downloads(slack: Host) -> AsyncIterator[Downloads]:
    async with aiohttp.ClientSession() as session:
        yield Downloads(session, token, f"{slack.url}/api/")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def gives(body: bytes = b"", status: int = 200, content_type: str = XLSX, **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, content_type=content_type, headers=headers)

    return answer


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def hangs_up_halfway(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": XLSX})
    await response.prepare(request)
    await response.write(b"PK half of it")
    assert request.transport is not None
    request.transport.close()
    return response


def written(path: Path) -> bytes:
    return path.read_bytes()


async def refused(downloads: Downloads, url: str, path: Path) -> str:
    with pytest.raises(BadFile) as raised:
        await downloads.fetch(TEAM_ID, url, path)
    return raised.value.why


async def test_a_file_is_written_as_it_is(slack: Host, downloads: Downloads, path: Path) -> None:
    content = bytes(range(256)) * 5000
    slack.answers = [gives(content)]
    await downloads.fetch(TEAM_ID, f"{slack.url}/files-pri/1/download/a.xlsx", path)
    assert written(path) == content
    assert slack.tokens == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(gives(b"<html>Sign in</html>", content_type="text/html"), "login_page", id="200 and a login page"),
        pytest.param(gives(status=404), "not_downloadable", id="gone"),
        pytest.param(gives(status=403), "not_downloadable", id="forbidden"),
        pytest.param(gives(b"x" * (LIMIT_BYTES + 1)), "too_large", id="one byte too many"),
    ],
)
async def test_what_is_no_file_is_refused_at_once(
    answer: Handler, why: str, slack: Host, downloads: Downloads, path: Path
) -> None:
    slack.answers = [answer]
    assert await refused(downloads, f"{slack.url}/a", path) == why
    assert len(slack.tokens) == 1


async def test_the_largest_file_is_taken(slack: Host, downloads: Downloads, path: Path) -> None:
    slack.answers = [gives(b"x" * LIMIT_BYTES)]
    await downloads.fetch(TEAM_ID, f"{slack.url}/a", path)
    assert len(written(path)) == LIMIT_BYTES


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    status: int, slack: Host, elsewhere: Host, downloads: Downloads, path: Path
) -> None:
    elsewhere.answers = [gives(b"x")]
    slack.answers = [gives(status=status, Location=f"{elsewhere.url}/login")]
    assert await refused(downloads, f"{slack.url}/a", path) == "login_page"
    assert elsewhere.tokens == []


async def test_another_host_is_not_even_contacted(elsewhere: Host, downloads: Downloads, path: Path) -> None:
    elsewhere.answers = [gives(b"x")]
    assert await refused(downloads, f"{elsewhere.url}/a", path) == "not_downloadable"
    assert elsewhere.tokens == []


@pytest.mark.parametrize(
    ("url", "is_slack"),
    [
        ("https://files.slack.com/files-pri/T1-F1/download/a.xlsx", True),
        ("https://slack.com/a", True),
        ("https://acme.slack.com/files/a", True),
        ("https://acme.enterprise.slack.com/files/a", True),
        ("https://a.slack-edge.com/a", True),
        ("http://files.slack.com/a", False),
        ("https://slack.com.example.com/a", False),
        ("https://notslack.com/a", False),
        ("https://example.com/https://files.slack.com/a", False),
        ("https://files.slack.com@example.com/a", False),
        ("https://example.com#.slack.com", False),
        ("https://example.com?.slack.com", False),
        ("ftp://files.slack.com/a", False),
        ("file:///etc/passwd", False),
        ("//files.slack.com/a", False),
        ("", False),
    ],
)
async def test_only_slacks_own_hosts_get_the_token(url: str, is_slack: bool) -> None:
    async with aiohttp.ClientSession() as session:
        assert Downloads(session, token, "https://slack.com/api/")._is_slack(url) is is_slack


@pytest.mark.usefixtures("without_waiting")
@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(hangs_up, id="connection lost"),
        pytest.param(hangs_up_halfway, id="connection lost halfway"),
        pytest.param(gives(status=503), id="unavailable"),
        pytest.param(gives(status=429), id="too many requests"),
    ],
)
async def test_what_passes_is_tried_again(trouble: Handler, slack: Host, downloads: Downloads, path: Path) -> None:
    slack.answers = [trouble, trouble, gives(b"PK whole")]
    await downloads.fetch(TEAM_ID, f"{slack.url}/a", path)
    assert written(path) == b"PK whole"
    slack.answers = [trouble]
    before = len(slack.tokens)
    assert await refused(downloads, f"{slack.url}/a", path) == "not_downloadable"
    # aiohttp tries once more by itself where a kept connection was closed.
    assert len(slack.tokens) - before in (4, 8)


async def test_a_server_that_never_answers_is_given_up(slack: Host, path: Path) -> None:
    async def silent(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    slack.answers = [silent]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.1)) as session:
        assert await refused(Downloads(session, token, slack.url), f"{slack.url}/a", path) == "not_downloadable"
