"""What people type, as Slack stores it, and the order of what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.slack.manifest import parse_manifest
from sandbox.slack.workspace import Workspace
from tests.sandbox.people import MANIFEST

WORKSPACE = Workspace(parse_manifest(MANIFEST))

TYPED = {
    "a mention": ("@sms help", "<@U0SMSBOT> help"),
    "a full name": ("ask @Ana Torres.", "ask <@U0ANA>."),
    "a channel": ("see #launch-autumn", "see <#G0LAUNCH|launch-autumn>"),
    "an address": ("https://a.example/?x=1&y=2", "<https://a.example/?x=1&amp;y=2>"),
    "a mail address": ("ana@sms.example", "ana@sms.example"),
    "a longer name": ("@smsly", "@smsly"),
    "a forged link": ("<@U0ANA> <!here>", "&lt;@U0ANA&gt; &lt;!here&gt;"),
    "no channel": ("#marketingteam", "#marketingteam"),
}


@pytest.mark.parametrize(("typed", "stored"), TYPED.values(), ids=TYPED.keys())
def test_what_is_typed_is_escaped_and_linked(typed: str, stored: str) -> None:
    assert WORKSPACE.as_typed(typed) == stored


@given(st.text())
def test_nobody_can_type_a_call_to_everybody(typed: str) -> None:
    assert "<!" not in WORKSPACE.as_typed(typed)


@given(st.text(st.characters(exclude_characters="@#/")))
def test_text_without_links_is_only_escaped(typed: str) -> None:
    assert WORKSPACE.as_typed(typed) == typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_timestamps_only_grow() -> None:
    stamps = [WORKSPACE.new_ts() for _ in range(20_000)]
    assert stamps == sorted(stamps)
    assert len(set(stamps)) == len(stamps)
    assert all(len(stamp.partition(".")[2]) == 6 for stamp in stamps)
