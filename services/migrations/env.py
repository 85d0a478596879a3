"""Alembic's entry: runs on the connection that `services.database.Database.migrate` passes in."""

from typing import Any, Literal

from alembic import context

from services.models import Moment, metadata


def render_item(kind: str, item: Any, _context: object) -> str | Literal[False]:
    """A migration must not change its meaning when our own column type does."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Moment) else False


context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_item=render_item)
with context.begin_transaction():
    context.run_migrations()
