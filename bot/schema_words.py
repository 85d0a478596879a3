"""What an operator is told about a schema that is not this version's."""

from __future__ import annotations

from services.database import SchemaMismatch


def describe_mismatch(mismatch: SchemaMismatch, which: str = "DATABASE_URL") -> str:
    """One sentence, with what to do; `which` database it is about."""
    if mismatch.is_newer:
        return (
            f"{which}: this database was made by a newer version: its schema is {mismatch.found}, and this version "
            f"knows {mismatch.needed} at most. Upgrade the bot."
        )
    if mismatch.found is None:
        return f"{which}: the database has no schema yet: run `python -m bot migrate`."
    return (
        f"{which}: the database's schema is {mismatch.found}, which is older than the {mismatch.needed} that this "
        "version needs: stop whatever runs on it and run `python -m bot migrate`."
    )
