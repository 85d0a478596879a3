"""What a person may do; which role a route needs stands in `handlers/routes.py`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from services.errors import NotAllowed


class Role(IntEnum):
    """Each may do all that those before it may."""

    VIEWER = 0
    SENDER = 1
    APPROVER = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """As it is written in the settings."""
        return self.name.lower()


def require(needed: Role, has: Role | None, holders: Sequence[str]) -> None:
    """Raises NotAllowed("role_needed") where the person's role, or None, is not enough.

    `holders` are the Slack ids of the people and user groups that may.
    """
    if has is None or has < needed:
        raise NotAllowed("role_needed", role=needed.word, who=[*holders])
