"""What is in the log: one JSON object a line, and no variable of ours in a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog

from bot.logs import a_request, current_request, in_this_context

PROGRAM = """
import logging, structlog, sys
from bot.logs import set_up_logs
set_up_logs(sys.argv[1] or None, sys.argv[2])
log = structlog.get_logger()
log.debug("message.looked_at", task=42)
log.info("message.submitted", task=42)
logging.getLogger("slack_bolt").warning("a whole request")
logging.getLogger("slack_sdk.web.async_client").debug("a whole answer")
logging.getLogger("apscheduler.scheduler").warning("a turn was missed")
logging.getLogger("aiohttp.server").error("a line from a library")
def send(number):
    try:
        raise ZeroDivisionError("no reason")
    except ZeroDivisionError:
        log.exception("unexpected", reference="7f3a")
send("13812345678")
"""


def logged(log_format: str = "", level: str = "info") -> list[str]:
    """The lines of a program whose stderr is no terminal."""
    command = [sys.executable, "-c", PROGRAM, log_format, level]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    assert "13812345678" not in ran.stderr
    return ran.stderr.splitlines()


def shown(log_format: str = "") -> str:
    """What a person at a terminal sees."""
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM, log_format, "info"], stderr=theirs, check=True)
    os.close(theirs)
    lines = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "13812345678" not in lines
    return lines


def test_a_program_logs_an_object_a_line() -> None:
    events = [json.loads(line) for line in logged()]
    assert [(event["event"], event["level"]) for event in events] == [
        ("message.submitted", "info"),
        ("a line from a library", "error"),
        ("unexpected", "error"),
    ]
    assert events[0]["task"] == 42
    assert all(event["timestamp"].endswith("Z") for event in events)
    assert "ZeroDivisionError: no reason" in events[2]["exception"]


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["message.looked_at", "message.submitted", "a line from a library", "unexpected"]),
        ("warning", ["a line from a library", "unexpected"]),
        ("error", ["a line from a library", "unexpected"]),
    ],
)
def test_a_level_leaves_out_what_is_below_it_and_libraries_tell_no_more_for_it(level: str, events: list[str]) -> None:
    assert [json.loads(line)["event"] for line in logged(level=level)] == events


def test_a_person_who_looks_sees_lines_and_no_variables() -> None:
    lines = shown()
    assert "message.submitted" in lines
    assert "ZeroDivisionError: no reason" in lines
    assert "\x1b[" in lines, "colours"


def test_the_format_can_be_chosen_against_what_looks() -> None:
    assert json.loads(shown("json").splitlines()[0])["event"] == "message.submitted"
    lines = logged("text")
    assert "message.submitted" in lines[0]
    assert "\x1b[" not in lines[0], "a file wants no colours"


async def test_the_work_of_a_request_bears_its_id_also_in_threads() -> None:
    def in_a_thread(word: str) -> tuple[str, object]:
        return word, structlog.contextvars.get_contextvars().get("request")

    async def work(word: str) -> tuple[str, tuple[str, object], str]:
        with a_request() as reference:
            await asyncio.sleep(0.01)
            loop = asyncio.get_running_loop()
            return reference, await loop.run_in_executor(threads, in_this_context(in_a_thread), word), current_request()

    with ThreadPoolExecutor(1) as threads:
        worked = await asyncio.gather(*(work(word) for word in ("one", "two", "three")))
    for reference, (_, seen), current in worked:
        assert reference == seen == current
    assert [word for _, (word, _), _ in worked] == ["one", "two", "three"]
    assert len({reference for reference, _, _ in worked}) == 3
    assert current_request() not in {reference for reference, _, _ in worked}
