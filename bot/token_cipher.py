"""How the tokens of the workspaces that install the app are hidden in the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import TypeVar

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

# Slack's `Bot` or `Installation`: every process reads the settings, and most have no use for Slack's packages.
Kept = TypeVar("Kept")

_SECRETS = ("bot_token", "bot_refresh_token", "user_token", "user_refresh_token", "incoming_webhook_url")


class UnreadableTokens(Exception):
    """The tokens were encrypted with a key that SLACK_TOKEN_KEYS no longer holds."""


class TokenCipher:
    """Encrypts with the first key and decrypts with any, so that a new key is put in front of the old one."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises ValueError for a key that is none, and where there is no key."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def hide(self, kept: Kept) -> Kept:
        """A copy with nothing readable in it."""
        return self._changed(kept, lambda secret: self._fernet.encrypt(secret.encode()).decode())

    def show(self, kept: Kept) -> Kept:
        """The reverse. Raises UnreadableTokens."""
        try:
            return self._changed(kept, lambda secret: self._fernet.decrypt(secret.encode()).decode())
        except InvalidToken as error:
            raise UnreadableTokens from error

    def _changed(self, kept: Kept, change: Callable[[str], str]) -> Kept:
        changed = copy(kept)
        for name in _SECRETS:
            if secret := getattr(changed, name, None):
                setattr(changed, name, change(secret))
        return changed
