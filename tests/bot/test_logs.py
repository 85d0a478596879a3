"""What is in the log: one JSON object a line, and no variable of ours in a traceback."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

PROGRAM = """
import logging, structlog
from bot.logs import set_up_logs
set_up_logs()
log = structlog.get_logger()
log.info("message.submitted", task=42)
logging.getLogger("slack_bolt").warning("a whole request")
logging.getLogger("apscheduler.scheduler").warning("a turn was missed")
logging.getLogger("aiohttp.server").error("a line from a library")
def send(number):
    try:
        raise ZeroDivisionError("no reason")
    except ZeroDivisionError:
        log.exception("unexpected", reference="7f3a")
send("13812345678")
"""


def test_a_program_logs_an_object_a_line() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    events = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [(event["event"], event["level"]) for event in events] == [
        ("message.submitted", "info"),
        ("a line from a library", "error"),
        ("unexpected", "error"),
    ]
    assert events[0]["task"] == 42
    assert all(event["timestamp"].endswith("Z") for event in events)
    assert "ZeroDivisionError: no reason" in events[2]["exception"]
    assert "13812345678" not in ran.stderr


def test_a_person_who_looks_sees_lines_and_no_variables() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM], stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "message.submitted" in shown
    assert "ZeroDivisionError: no reason" in shown
    assert "13812345678" not in shown
