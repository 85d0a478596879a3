"""`services/carriers/http.py` against sockets that misbehave: what can have arrived, and what cannot."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.carriers.http import Http
from services.errors import CarrierError, NotTaken, Unanswered

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    return head + await reader.readexactly(length)


class Server:
    """What it was asked; `url` is where it listens."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[bytes] = []
        self.connections = 0


@asynccontextmanager
async def serving(*answers: bytes | None) -> AsyncIterator[Server]:
    """Each request, on whatever connection, gets the next answer; None closes the connection instead."""
    server, left = Server(), list(answers)

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while True:
                server.requests.append(await read_request(reader))
                answer = left.pop(0)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    listener = await asyncio.start_server(play, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/x"
    try:
        yield server
    finally:
        listener.close()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(connect_seconds=0.5, read_seconds=0.2, max_answer_bytes=1000)
    yield client
    await client.close()


def self_signed(folder: Path) -> ssl.SSLContext:
    """What a server has that made its own certificate."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def failure(http: Http, url: str, method: str = "POST") -> CarrierError:
    with pytest.raises(CarrierError) as raised:
        await http.request(method, url, headers={}, body=b"a=1" if method == "POST" else b"")
    return raised.value


async def test_a_connection_is_used_again(http: Http) -> None:
    async with serving(OK, OK, OK) as server:
        for _ in range(3):
            answer = await http.request("POST", server.url, headers={"X-A": "1"}, body=b"a=1")
            assert (answer.status, answer.headers["content-length"], answer.body) == (200, "2", b"hi")
        assert server.connections == 1


async def test_a_refused_connection_was_never_taken(http: Http) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = await failure(http, f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert (type(error), error.code) == (NotTaken, "connection_refused")


async def test_a_name_that_does_not_resolve_was_never_taken(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    def unresolved(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    error = await failure(http, "http://carrier.invalid/")
    assert (type(error), error.code) == (NotTaken, "name_not_resolved")


async def test_a_connection_that_is_not_made_in_time_was_never_taken(http: Http) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            error = await failure(http, f"http://127.0.0.1:{full.getsockname()[1]}/")
    assert (type(error), error.code) == (NotTaken, "connect_timeout")


async def test_tls_that_fails_was_never_taken(http: Http) -> None:
    async def no_tls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    async with await asyncio.start_server(no_tls, "127.0.0.1", 0) as listener:
        error = await failure(http, f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
    assert (type(error), error.code) == (NotTaken, "tls_failed")


async def test_a_server_whose_certificate_nobody_vouches_for_is_not_sent_to(http: Http, tmp_path: Path) -> None:
    context = self_signed(tmp_path)
    read: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        read.append(await reader.read(100))
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=context) as listener:
        error = await failure(http, f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
    assert (type(error), error.code) == (NotTaken, "tls_failed")
    assert b"".join(read) == b"", "no byte of the request left"


async def test_no_answer_in_time_is_unanswered(http: Http) -> None:
    async with serving(b"") as server:
        error = await failure(http, server.url)
    assert (type(error), error.code) == (Unanswered, "read_timeout")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="closed without an answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", id="a body that stops"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="not HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, id="an answer too large"),
    ],
)
async def test_an_answer_that_is_not_whole_is_unanswered(http: Http, answer: bytes | None) -> None:
    async with serving(answer) as server:
        assert type(await failure(http, server.url)) is Unanswered


async def test_a_drip_of_bytes_does_not_hold_a_request_for_ever(http: Http) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
            for _ in range(60):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            return
        finally:
            writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as listener:
        began = time.monotonic()
        error = await failure(http, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")
        assert type(error) is Unanswered
        assert time.monotonic() - began < http.longest_seconds


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_request_is_never_sent_twice_when_a_kept_connection_breaks(http: Http, method: str) -> None:
    async with serving(OK, None, OK) as server:
        await http.request(method, server.url, headers={})
        assert type(await failure(http, server.url, method)) is Unanswered
        assert len(server.requests) == 2


async def test_a_redirect_is_not_followed(http: Http) -> None:
    async with serving(b"HTTP/1.1 307 X\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n") as server:
        assert (await http.request("POST", server.url, headers={}, body=b"a=1")).status == 307
        assert len(server.requests) == 1


async def test_an_answer_over_the_limit_is_not_read_to_its_end(http: Http) -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 2000
    async with serving(long) as server:
        error = await failure(http, server.url)
    assert (type(error), error.code) == (Unanswered, "answer_too_large")


def test_it_waits_as_long_as_it_is_told_and_by_default_5_and_10_seconds() -> None:
    # One second is what aiohttp rounds up by.
    assert Http().longest_seconds == 5 + 10 + 1
    assert Http(connect_seconds=2, read_seconds=7).longest_seconds == 2 + 7 + 1


async def test_a_cookie_is_not_sent_back(http: Http) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n", OK) as server:
        for _ in range(2):
            await http.request("POST", server.url, headers={}, body=b"a=1")
        assert b"cookie" not in server.requests[1].lower()


async def test_what_went_wrong_never_tells_the_query(http: Http) -> None:
    async with serving(b"") as server:
        error = await failure(http, server.url + "?password=secret")
    assert "secret" not in f"{error}{error.reason}"


async def test_a_closed_client_opens_again(http: Http) -> None:
    async with serving(OK, OK) as server:
        await http.request("POST", server.url, headers={})
        await http.close()
        assert (await http.request("POST", server.url, headers={})).status == 200
