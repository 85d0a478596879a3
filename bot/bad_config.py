"""A mistake in the settings is one sentence that names the setting."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError


class BadConfig(Exception):
    """A setting is missing or wrong; the text is the sentence people read."""


class Strict(BaseModel):
    """A table of `applications.toml`, in which a key that is no setting is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def check_address(value: str) -> str:
    """As it is. Raises ValueError, which pydantic tells."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://sms.example.com")
    return value


def first_mistake(error: ValidationError, where: str, *, spell: Callable[[str], str] = str, union: bool = False) -> str:
    """As a sentence that names the setting; `spell` makes its name of a field's.

    In a `union` a place begins with the carrier's name.
    """
    detail = error.errors()[0]
    name = ".".join(spell(str(part)) for part in detail["loc"][union:])
    if detail["type"] == "union_tag_invalid":
        return f"carrier in {where} is wrong: it is one of {detail['ctx']['expected_tags'].replace(chr(39), '')}."
    if detail["type"] == "union_tag_not_found":
        name = "carrier"
    if detail["type"] in ("missing", "union_tag_not_found"):
        return f"{name} is missing in {where}: set it (docs/settings.md lists every setting)."
    if detail["type"] == "extra_forbidden":
        return f"{name} in {where} is no setting: remove it, or correct its spelling (docs/settings.md lists them)."
    reason = detail["msg"].removeprefix("Value error, ")
    what = f"{name} in {where}" if name else where
    return f"{what} is wrong: {reason[0].lower()}{reason[1:]}."
