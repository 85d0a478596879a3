"""Whose numbers people write without country code, in each workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.number_plan import calling_code

MAINLAND = "CN"


@dataclass(frozen=True, slots=True)
class DefaultRegions:
    """ISO regions ("HK"): `default`, or what a workspace has of its own."""

    default: str = MAINLAND
    of_workspaces: Mapping[str, str] = field(default_factory=dict)

    def of(self, workspace_id: str) -> str:
        """The region of this workspace."""
        return self.of_workspaces.get(workspace_id, self.default)


def is_region(code: str) -> bool:
    """Whether these are the two capital letters of a country or territory with phone numbers of its own."""
    return len(code) == 2 and code.isascii() and code.isupper() and calling_code(code) != ""
