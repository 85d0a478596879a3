"""Translates a Slack request into a service call and its result into a Reply."""
