"""Spreadsheets in and out: `reader.read_numbers` for files people upload, `writer` for files we hand out.

`child` runs as a process of its own, because a hostile file can take down whoever reads it; it and what only it
imports stay light, so that it starts in a blink. There `kinds` tells what a file is, `texts` and `lines` read csv,
`workbooks` the rest: with python-calamine, what is `hidden` left out, old xls made readable by `ole`, large xlsx as a
`stream`. All of them give `tables` of blocks; `sender` finds the number column (`columns`) and sends `frames`.
"""
