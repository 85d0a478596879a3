"""Counts, shares, times and names as people read them in Slack."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.states import Source


def escape(text: str) -> str:
    """A person's text as data: it can neither mention anybody nor make a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def bold(text: str) -> str:
    """A name in bold. Slack has no escape for its own marks, so those that would end the bold are left out."""
    kept = text.replace("*", "").replace("`", "").strip()
    return f"*{escape(kept)}*" if kept else escape(text)


def code(text: str) -> str:
    """Something to type, exactly as it is typed. Slack has no escape for a backtick, so text with one stands bare."""
    return escape(text) if "`" in text else f"`{escape(text)}`"


def as_plain(sentence: str) -> str:
    """A sentence of ours without marks and escapes, for where Slack shows neither."""
    unmarked = sentence.replace("*", "").replace("`", "")
    return unmarked.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def number(value: int) -> str:
    """12480 → 12,480."""
    return f"{value:,}"


def counted(value: int, noun: str, plural: str | None = None) -> str:
    """12,480 customers; 1 customer."""
    return f"{number(value)} {noun if value == 1 else plural or noun + 's'}"


def money(amount: Decimal) -> str:
    """1234.5 → 1,234.50; as many decimals as it has, two at least."""
    exponent = amount.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return f"{amount:,.{max(2, -exponent)}f}"


def recipients_of(source: Source, groups: Sequence[str], excluded: Sequence[str], file: str | None) -> str:
    """Whom a task is for: *vip* and *gold* without *staff*; the whole pool; *file.xlsx*; typed numbers."""
    whom = {
        Source.GROUPS: named(groups),
        Source.POOL: "the whole pool",
        Source.FILE: bold(file or ""),
        Source.TYPED: "typed numbers",
    }.get(source, named(groups))
    return f"{whom} without {named(excluded)}" if excluded else whom


def verb(value: int, one: str, many: str) -> str:
    """The form of a verb that goes with a count: 1 is, 2 are."""
    return one if value == 1 else many


def share(part: int, whole: int) -> str:
    """A percentage with one decimal, which says 100 % or 0 % only where that is exact."""
    if whole == 0 or part in (0, whole):
        return f"{100 if whole and part == whole else 0} %"
    return f"{min(max(part / whole * 100, 0.1), 99.9):.1f} %"


def bar(part: float, width: int = 20) -> str:
    """A progress bar for a share from 0 to 1: begun with the first bit, full only at the end."""
    filled = min(math.ceil(max(part, 0.0) * width), width - 1) if part < 1 else width
    return "▓" * filled + "░" * (width - filled)


def duration(value: timedelta) -> str:
    """2.1 s; 3 min 5 s; 1 h 4 min."""
    seconds = value.total_seconds()
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(value: datetime) -> str:
    """Each reader sees it in their own time zone; the fallback is UTC."""
    return (
        f"<!date^{int(value.timestamp())}^{{date_short_pretty}} at {{time}}|{value.astimezone(UTC):%d %b %Y %H:%M} UTC>"
    )


def person(user_id: str) -> str:
    """A mention by id, which Slack shows as the name."""
    return f"<@{user_id}>"


def person_or_group(slack_id: str) -> str:
    """The same for an id that may be a user group's. Only for private answers: it would call the whole group."""
    return f"<!subteam^{slack_id}>" if slack_id.startswith("S") else person(slack_id)


def named(names: Sequence[str], last: str = "and", most: int = 5) -> str:
    """*a*, *b* and *c* for names as people gave them; the first ones and a count where there are many."""
    return several([bold(name) for name in names], last, most)


def several(names: Sequence[str], last: str = "and", most: int = 5) -> str:
    """The same for names that are escaped already, or are none."""
    shown = [*names[:most]]
    more = len(names) - most
    if more > 0:
        shown.append(f"one of {number(more)} more" if last == "or" else f"{number(more)} more")
    return listed(shown, last)


def listed(names: Sequence[str], last: str = "and") -> str:
    """a, b and c; for names that are already escaped."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
