"""`group:vip,gold at:"tomorrow 10:00" 42` → values by key; pure.

Pairs come in any order; quotes hold spaces, commas and colons together. Word processors and phones turn quotes and
colons into their typographic and full-width forms, so those are taken as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.errors import ServiceError

# Which characters close what an opening quote began; phones mix the double ones.
_QUOTES = dict.fromkeys('"“”„', '"“”') | {"'": "'", "‘": "’", "«": "»", "「": "」"}
_KEY = re.compile(r"([^\W\d][\w-]*)\s*[:：]\s*")
_SIMPLE = re.compile(r"[\w.+-]+")
_BARE = re.compile(r"[^\s,，]+")


class BadArguments(ServiceError):
    """The typed text cannot be read. `why` is unknown_key, no_key, repeated_key, no_value, open_quote or one_value."""

    def __init__(self, why: str, value: str, known: Sequence[str] = ()) -> None:
        super().__init__(f"{why}: {value}")
        self.why, self.value, self.known = why, value, tuple(known)


@dataclass(frozen=True, slots=True)
class Arguments:
    """The values of each key, and the words that stand alone."""

    values: Mapping[str, Sequence[str]]
    words: Sequence[str] = ()

    def all(self, key: str) -> Sequence[str]:
        """Every value of a key; empty where it was not given."""
        return self.values.get(key, ())

    def one(self, key: str) -> str | None:
        """The only value of a key, None where it was not given. Raises BadArguments("one_value")."""
        values = self.all(key)
        if len(values) > 1:
            raise BadArguments("one_value", key)
        return values[0] if values else None


def parse(text: str, keys: Sequence[str], *, words: bool = False) -> Arguments:
    """Read typed text that may hold these keys, and lone words only where `words`. Raises BadArguments."""
    values: dict[str, list[str]] = {}
    lone: list[str] = []
    at = 0
    while True:
        at = _skip_space(text, at)
        if at == len(text):
            return Arguments(values, lone)
        found = _KEY.match(text, at)
        if found is None:
            word, end = _item(text, at)
            if not word or not words:
                raise BadArguments("no_key", word or text[at : max(end, at + 1)], keys)
            lone.append(word)
            at = end
            continue
        key = found[1].lower()
        if key not in keys:
            raise BadArguments("unknown_key", found[1], keys)
        if key in values:
            raise BadArguments("repeated_key", key)
        values[key], at = _items(text, found.end(), key)


def find_one(text: str, key: str) -> str | None:
    """The value of the first `key:` in free text, None where there is none. Raises BadArguments."""
    found = re.search(rf"(?:^|\s){key}\s*[:：]\s*", text, re.IGNORECASE)
    if found is None:
        return None
    # A comma behind it belongs to the sentence.
    value = _item(text, found.end())[0] if found.end() < len(text) else ""
    if not value:
        raise BadArguments("no_value", key)
    return value


def write_pair(key: str, value: str) -> str:
    """`group:vip` or `group:"spring sale"`, as `parse` and `find_one` read it back."""
    if _SIMPLE.fullmatch(value):
        return f"{key}:{value}"
    opening = next((each for each in "\"'«「" if not set(_QUOTES[each]) & set(value)), '"')
    return f"{key}:{opening}{value}{_QUOTES[opening][0]}"


def _items(text: str, at: int, key: str) -> tuple[list[str], int]:
    items = []
    while True:
        if at == len(text):
            raise BadArguments("no_value", key)
        item, at = _item(text, at)
        if not item:
            raise BadArguments("no_value", key)
        items.append(item)
        following = _skip_space(text, at)
        if following == len(text) or text[following] not in ",，":
            return items, at
        at = _skip_space(text, following + 1)


def _item(text: str, at: int) -> tuple[str, int]:
    """One quoted or bare value, and where it ends; empty where there is none."""
    closing = _QUOTES.get(text[at])
    if closing is None:
        bare = _BARE.match(text, at)
        return (bare[0], bare.end()) if bare else ("", at)
    end = next((i for i in range(at + 1, len(text)) if text[i] in closing), None)
    if end is None:
        raise BadArguments("open_quote", text[at:])
    return " ".join(text[at + 1 : end].split()), end + 1


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
