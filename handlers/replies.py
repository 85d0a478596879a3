"""What a person gets back. The edge (`bot/slack_app.py`) delivers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Block = dict[str, Any]
View = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Say:
    """A private answer. `text` is for notifications and screen readers, and stands alone without `blocks`."""

    text: str
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Replace:
    """The private answer that was clicked in becomes this."""

    text: str
    blocks: list[Block] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OpenForm:
    """Open a form. `context` (at most 2,000 characters) comes back with its submission."""

    view: View
    context: str = ""


@dataclass(frozen=True, slots=True)
class FieldErrors:
    """The form stays open with a sentence under each wrong field, by block id."""

    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SendFile:
    """A file by direct message to the person, because it holds full numbers; `say` follows where they clicked.

    `write` makes the file at a path and may take seconds.
    """

    name: str
    comment: str
    say: str
    write: Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Later:
    """An answer that takes seconds: `say` is told at once, and what `work` gives follows. It may raise ServiceError."""

    say: str
    work: Callable[[], Reply]


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing to say; what was done shows in the channel."""


Reply = Say | Replace | OpenForm | FieldErrors | SendFile | Later | Nothing
