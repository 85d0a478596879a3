"""Runs imports: download, then read, check and store in a thread of their own."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from bot.downloads import Downloads
from bot.workspaces import NotInstalled
from services.errors import BadFile
from services.imports import Import, Imports, Progress

log = structlog.get_logger()

AT_ONCE = 2


class _Interrupted(Exception):
    """The program is shutting down; the import starts over with the next start."""


class ImportRunner:
    """Works on every import that is running in the database and not yet here, so a restart goes on by itself."""

    def __init__(
        self,
        imports: Imports,
        downloads: Downloads,
        ended: Callable[[str, float, int], None] = lambda state, seconds, rows: None,
    ) -> None:
        self._imports = imports
        self._downloads = downloads
        self._told_end = ended
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="import")
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._downloading: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._progress: dict[int, Progress] = {}

    def progress(self, import_id: int) -> Progress | None:
        """How far an import is, None where it has not begun to read."""
        return self._progress.get(import_id)

    async def tick(self) -> None:
        """Take up imports that nobody works on."""
        for running in await asyncio.to_thread(self._imports.running):
            if running.id not in self._tasks and not self._stopping:
                self._tasks[running.id] = asyncio.create_task(self._work(running))

    async def stop(self) -> None:
        """Interrupt what runs; nothing of it has been stored."""
        self._stopping = True
        for task in self._downloading:
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    async def _work(self, running: Import) -> None:
        log.info("import.started", import_id=running.id, size=running.file.size)
        began = time.monotonic()
        state, rows = "failed", 0
        try:
            with tempfile.TemporaryDirectory(prefix="sms-import-") as folder:
                path = Path(folder) / "upload"
                await self._download(running, path)
                ended = await self._in_turn(running, path)
            state, rows = ended.state.value, ended.rows
            log.info("import.ended", import_id=ended.id, state=state, rows=rows)
        except BadFile as bad:
            log.info("import.failed", import_id=running.id, why=bad.why)
            await asyncio.to_thread(self._imports.fail, running, bad.why)
        except NotInstalled:
            log.info("import.failed", import_id=running.id, why="workspace_gone")
            await asyncio.to_thread(self._imports.fail, running, "not_downloadable")
        except _Interrupted:
            state = "interrupted"
            log.info("import.interrupted", import_id=running.id)
        except Exception:
            log.exception("import.failed", import_id=running.id)
            await asyncio.to_thread(self._imports.fail, running, "unexpected")
        finally:
            self._told_end(state, time.monotonic() - began, rows)
            self._progress.pop(running.id, None)
            # Kept while stopping, so that a last tick does not begin it again.
            if not self._stopping:
                del self._tasks[running.id]

    async def _download(self, running: Import, path: Path) -> None:
        current = asyncio.current_task()
        assert current is not None
        self._downloading.add(current)
        try:
            await self._downloads.fetch(running.workspace_id, running.file.url, path)
        finally:
            self._downloading.discard(current)

    async def _in_turn(self, running: Import, path: Path) -> Import:
        if self._turns.locked():
            self._progress[running.id] = Progress(0, 0.0, waits=True)
        async with self._turns:
            self._progress.pop(running.id, None)
            if self._stopping:
                raise _Interrupted
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, running, path)

    def _run(self, running: Import, path: Path) -> Import:
        def note(progress: Progress) -> None:
            if self._stopping:
                raise _Interrupted
            self._progress[running.id] = progress

        return self._imports.run(running, path, note)
