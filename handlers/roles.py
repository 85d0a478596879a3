"""What a person may do; which role a route needs stands in `handlers/routes.py`."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """Each may do all that those before it may."""

    VIEWER = 0
    SENDER = 1
    APPROVER = 2
    ADMIN = 3
