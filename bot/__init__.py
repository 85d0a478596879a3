"""Wires the parts together; the only place that knows Slack's SDK, APScheduler and the environment."""
