"""What `docs/parity.md` names is there: tests, and functions of the browser test."""

from __future__ import annotations

import re
from pathlib import Path

from handlers.routes import ROUTES, Kind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/parity.md").read_text("utf-8")


def test_every_test_named_is_there() -> None:
    named = set(re.findall(r"`(tests/[^`]+)`", PAGE))
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_every_browser_step_named_is_a_function() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "tests/e2e").glob("*.py"))
    steps = set(re.findall(r"\| `([a-z_]+)` \|", PAGE))
    assert steps
    assert [step for step in sorted(steps) if f"async def {step}(" not in source] == []


def test_every_command_named_is_one() -> None:
    commands = {route.key for route in ROUTES if route.kind is Kind.COMMAND}
    assert set(re.findall(r"`(/sms-[a-z]+)", PAGE)) <= commands
