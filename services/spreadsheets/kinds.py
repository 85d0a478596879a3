"""What a file is, told by its content: the name a person gave it is not asked.

`BadFile("not_a_spreadsheet", seen=…)` says what it is instead: "pdf", "image", "archive", "document", "presentation",
"html", "xml", "numbers" (Apple's) or "binary".
"""

from __future__ import annotations

import mmap
import re
import zlib
from typing import BinaryIO, Literal
from zipfile import BadZipFile, ZipFile

from services.errors import BadFile

Kind = Literal["zip", "ole", "text", "html", "xml"]

MAX_INFLATED_BYTES = 1 << 30  # an honest 30 MB workbook inflates to about 250 MB
MAX_RATIO = 200  # an honest one inflates 10 to 50 times; asked only above SMALL_BYTES
SMALL_BYTES = 100 << 20
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "pdf"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"RIFF", "image"),
    (b"\x1f\x8b", "archive"),
    (b"Rar!", "archive"),
    (b"7z\xbc\xaf", "archive"),
    (b"BZh", "archive"),
    (b"{\\rtf", "document"),
)
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_ZIP_FOLDERS = (("word/", "document"), ("ppt/", "presentation"), ("Index/", "numbers"))
_HTML = (b"<html", b"<!doctype html", b"<head", b"<table")
_LOGIN = re.compile(rb"<form|<script|type=.?password", re.IGNORECASE)
_WORKBOOK = re.compile(rb"<(?:\w+:)?Workbook\b[^>]*urn:schemas-microsoft-com:office:spreadsheet")


def kind_of(file: BinaryIO) -> Kind:
    """Tell what the file is. Raises BadFile if it is nothing that holds a table."""
    file.seek(0)
    head = file.read(65_536)
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise BadFile("empty")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        _check_zip(file)
        return "zip"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "ole"
    for magic, seen in _MAGIC:
        if head.startswith(magic):
            raise BadFile("not_a_spreadsheet", seen=seen)
    return _kind_of_markup(head) or "text"


def why_unreadable(file: BinaryIO, kind: Kind, error: str) -> BadFile:
    """Say what is wrong with a workbook that the reader library gave up on."""
    if kind == "ole":
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data.find(_ole_name("EncryptedPackage")) >= 0:
                return BadFile("encrypted")
            if data.find(_ole_name("Workbook")) < 0 and data.find(_ole_name("Book")) < 0:
                return BadFile("not_a_spreadsheet", seen="document")
    return BadFile("truncated", error=error[:200])


def _check_zip(file: BinaryIO) -> None:
    try:
        with ZipFile(file) as archive:
            infos = archive.infolist()
            names = [info.filename for info in infos]
            if not any(name.startswith("xl/") for name in names):
                mimetype = archive.read("mimetype")[:100] if "mimetype" in names else b""
                if b"opendocument.spreadsheet" not in mimetype:
                    raise BadFile("not_a_spreadsheet", seen=_seen_in_zip(names))
    except (BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise BadFile("truncated", error=str(error)[:200]) from error
    if any(info.flag_bits & 1 for info in infos):
        raise BadFile("encrypted")
    inflated = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    if inflated > MAX_INFLATED_BYTES or inflated > max(SMALL_BYTES, MAX_RATIO * packed):
        raise BadFile("expands_too_much", inflated_mb=inflated >> 20)


def _seen_in_zip(names: list[str]) -> str:
    for folder, seen in _ZIP_FOLDERS:
        if any(name.startswith(folder) for name in names):
            return seen
    return "archive"


def _kind_of_markup(head: bytes) -> Kind | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1024].lower()
    if start.startswith(b"mime-version:"):
        # A web page with all its parts in one file, which Excel saves on request.
        raise BadFile("not_a_spreadsheet", seen="html")
    if not start.startswith(b"<"):
        return None
    if start.startswith(b"<?xml") and _WORKBOOK.search(head):
        return "xml"
    if any(tag in start for tag in _HTML):
        # Web consoles export tables as HTML named .xls; a sign-in page has a form or a script.
        if b"<table" in head.lower() and not _LOGIN.search(head):
            return "html"
        raise BadFile("login_page")
    if start.startswith((b"<?xml", b"<!doctype")):
        raise BadFile("not_a_spreadsheet", seen="xml")
    return None


def _ole_name(name: str) -> bytes:
    return name.encode("utf-16-le") + b"\0\0"
