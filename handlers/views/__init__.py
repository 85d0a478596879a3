"""Dataclass to Block Kit; pure."""
