"""`/sms-help`: every command, from the one table of routes."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.replies import Reply, Say
from handlers.requests import Command
from handlers.views import blocks


def overview(lines: Sequence[tuple[str, str]]) -> Say:
    """`lines` are (usage, what it does) of each command."""
    start = (
        "*Bulk SMS from this channel, in three steps*\n"
        "1. Drop a spreadsheet of mobile numbers here. I import it into a group.\n"
        "2. `/sms-send group:vip template:spring` shows a preview. Nothing is sent yet.\n"
        "3. Press the button. The result comes back here, with the file of failed numbers."
    )
    commands = "\n".join(f"`{usage}`\n{does}" for usage, does in lines)
    times = (
        'Times are in your own Slack time zone: `at:"tomorrow 10:00"`, `at:"monday 9am"`, `at:"2026-12-24 09:30"`. '
        "Values with spaces need quotes."
    )
    return Say(
        "How to send bulk SMS from here", [blocks.section(start), blocks.section(commands), blocks.context(times)]
    )


def usage(line: str, does: str) -> Say:
    """The answer to `/sms-… help`."""
    return Say(f"{line}: {does}", [blocks.section(f"`{line}`\n{does}")])


def mistake(sentence: str, line: str) -> Say:
    """What went wrong with a typed command, and how it is written."""
    return Say(sentence, [blocks.section(sentence), blocks.context(f"Usage: `{line}`")])


def command(request: Command, service: Sequence[tuple[str, str]]) -> Reply:
    """All of it. The service is the table's own lines."""
    return overview(service)
