"""Spreadsheets in and out: `reader.read_numbers` for files people upload, `writer` for files we hand out.

`child` runs as a process of its own, because a hostile file can take down whoever reads it; it and what only it
imports (`kinds`, `texts`, `columns`) stay light, so that it starts in a blink.
"""
