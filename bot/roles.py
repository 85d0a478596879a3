"""Who has which role: the settings' people and user groups, whose members Slack tells."""

from __future__ import annotations

import time
from collections.abc import Callable

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError

from bot.applications_file import RoleSettings
from bot.workspaces import Workspaces
from handlers.roles import Role

log = structlog.get_logger()

KEPT_SECONDS = 300
RETRY_SECONDS = 30
# Where the settings name nobody at all: everybody sends, and any member but the author approves.
_UNSET = Role.APPROVER
_GROUP = "S"


class Roles:
    """Asks Slack for the members of user groups, and remembers them for five minutes."""

    def __init__(
        self, settings: RoleSettings, workspaces: Workspaces, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._workspaces = workspaces
        self._monotonic = monotonic
        # The members of each group, and until when they are believed.
        self._known: dict[tuple[str, str], tuple[frozenset[str], float]] = {}

    async def of(self, workspace: str, person: str) -> Role | None:
        """The highest role a person has; None where they may not even look.

        With any role set, whoever has none may look, unless `viewer` names who may.
        """
        if not self._settings.are_set:
            return _UNSET
        for role in sorted(Role, reverse=True):
            if await self._has(workspace, person, self._entries(role)):
                return role
        return None if self._settings.viewer else Role.VIEWER

    def holders(self, needed: Role) -> list[str]:
        """The ids in the settings that may do what needs this role, those of just this role first."""
        return [each for role in sorted(Role) if role >= needed for each in self._entries(role)]

    def _entries(self, role: Role) -> tuple[str, ...]:
        entries: tuple[str, ...] = getattr(self._settings, role.word)
        return entries

    async def _has(self, workspace: str, person: str, entries: tuple[str, ...]) -> bool:
        if person in entries:
            return True
        for group in entries:
            if group.startswith(_GROUP) and person in await self._members(workspace, group):
                return True
        return False

    async def _members(self, workspace: str, group: str) -> frozenset[str]:
        members, until = self._known.get((workspace, group), (frozenset[str](), 0.0))
        if (workspace, group) in self._known and self._monotonic() < until:
            return members
        kept = KEPT_SECONDS
        try:
            client = await self._workspaces.client(workspace)
            answer = await client.usergroups_users_list(usergroup=group)
            members = frozenset(answer["users"])
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            # Those known before stay; nobody gets a role by a failure.
            log.warning("usergroup.unknown", usergroup=group, error=str(error))
            kept = RETRY_SECONDS
        self._known[workspace, group] = (members, self._monotonic() + kept)
        return members
