"""Decides. Imports nothing of `bot` or `handlers`."""
