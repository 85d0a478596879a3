"""Callbacks that could not be read are kept for a look: a part of each, and the newest of each application."""

from __future__ import annotations

import pytest

from services.unread_callbacks import BODY_LIMIT, MOST_KEPT, UnreadCallbacks
from tests.services.builders import MAINLAND, Marketing


@pytest.fixture
def unread(marketing: Marketing) -> UnreadCallbacks:
    return UnreadCallbacks(marketing.database, marketing.clock)


def test_a_callback_is_kept_with_its_application_and_why(marketing: Marketing, unread: UnreadCallbacks) -> None:
    kept_id = unread.keep(marketing.application_id, "receipts: not JSON", "<退订>".encode())
    (kept,) = unread.kept()
    assert (kept.id, kept.workspace_id, kept.application) == (kept_id, marketing.workspace_id, MAINLAND.name)
    assert (kept.reason, kept.body, kept.received_at) == ("receipts: not JSON", "<退订>", marketing.clock.now())


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00\x00", b"a\0b", "短信".encode("gb18030"), b"\xed\xa0\x80"])
def test_any_bytes_can_be_kept(body: bytes, marketing: Marketing, unread: UnreadCallbacks) -> None:
    unread.keep(marketing.application_id, "not text", body)
    (kept,) = unread.kept()
    assert "\0" not in kept.body


def test_of_a_long_one_the_beginning_is_kept(marketing: Marketing, unread: UnreadCallbacks) -> None:
    unread.keep(marketing.application_id, "too long", b"x" * BODY_LIMIT + b"y")
    assert unread.kept()[0].body == "x" * BODY_LIMIT


def test_of_each_application_the_newest_are_kept(marketing: Marketing, unread: UnreadCallbacks) -> None:
    other = Marketing(marketing.database, workspace_id="T0OTHER")
    unread.keep(other.application_id, "not JSON", b"theirs")
    for number in range(MOST_KEPT + 3):
        unread.keep(marketing.application_id, "not JSON", str(number).encode())
    kept = [each.body for each in unread.kept()]
    assert kept == ["theirs", *(str(number) for number in range(3, MOST_KEPT + 3))]
