"""the workspaces that have installed the app: the tables of Slack's own stores, with room for encrypted tokens"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COMMON = ("app_id", "enterprise_id", "enterprise_name", "team_id", "team_name", "bot_token", "bot_id", "bot_user_id")


def upgrade() -> None:
    op.create_table(
        "slack_bots",
        *_columns("bot_scopes", "bot_refresh_token"),
        sa.Column("bot_token_expires_at", sa.DateTime()),
    )
    op.create_table(
        "slack_installations",
        *_columns(
            "bot_scopes",
            "bot_refresh_token",
            "enterprise_url",
            "user_id",
            "user_token",
            "user_scopes",
            "user_refresh_token",
            "incoming_webhook_url",
            "incoming_webhook_channel",
            "incoming_webhook_channel_id",
            "incoming_webhook_configuration_url",
            "token_type",
        ),
        sa.Column("bot_token_expires_at", sa.DateTime()),
        sa.Column("user_token_expires_at", sa.DateTime()),
    )
    for name in ("slack_bots", "slack_installations"):
        op.create_index(f"ix_{name}_team", name, ["client_id", "enterprise_id", "team_id", "installed_at"])
    op.create_table(
        "slack_oauth_states",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("expire_at", sa.DateTime(), nullable=False),
    )


def downgrade() -> None:
    for name in ("slack_oauth_states", "slack_installations", "slack_bots"):
        op.drop_table(name)


def _columns(*names: str) -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in (*_COMMON, *names)),
        sa.Column("is_enterprise_install", sa.Boolean(), nullable=False),
        sa.Column("installed_at", sa.DateTime(), nullable=False),
    ]
