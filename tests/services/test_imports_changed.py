"""What a person can do with an import: choose its column, cancel, keep what was set aside, undo."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from services.database import Database
from services.errors import NotAllowed, UnknownThing
from services.group_changes import GroupChanges
from services.imports import GROUP_GONE, Import, Progress, UploadedFile
from services.models import customer_group, group_member, import_reject, number_import, send_task
from services.posts import PostKind
from services.previews import Preview, SendRequest
from services.retention import Periods, Retention
from services.states import ImportState, SmsType, Source, TaskState
from services.task_reports import Task
from tests.services.builders import BEN, CHANNEL, WORKSPACE, Marketing, numbers
from tests.services.files import a_csv, unclear_sheets

SECOND = timedelta(seconds=1)
VALID = ["13800000001", "13800000002", "13800000003"]
ASIDE = ["010 6234 5678", "010-62345678", "14912345678", "400 820 8820"]


def members(marketing: Marketing, name: str = "vip") -> set[int]:
    group_id = marketing.groups.find(marketing.workspace_id, name).id
    with marketing.database.read(everyone=True) as connection:
        query = select(group_member.c.number).where(group_member.c.group_id == group_id)
        return set(connection.execute(query).scalars())


def size(marketing: Marketing) -> int:
    return marketing.groups.find(marketing.workspace_id, "vip").size


def noted_rejects(marketing: Marketing) -> int:
    with marketing.database.read(everyone=True) as connection:
        return connection.execute(select(func.count()).select_from(import_reject)).scalar_one()


def adds_up(done: Import) -> bool:
    return done.rows == done.imported + done.already_in_group + done.duplicates + done.invalid + done.set_aside


def ignore(_progress: Progress) -> None:
    """Nobody watches."""


@pytest.fixture
def a_file(tmp_path: Path) -> Callable[..., Path]:
    def make(*cells: str, name: str = "a.csv") -> Path:
        return a_csv(tmp_path / name, cells)

    return make


@pytest.fixture
def changes(marketing: Marketing) -> GroupChanges:
    return GroupChanges(marketing.database, marketing.clock)


class TestKeeping:
    """Numbers set aside may be kept; nothing else moves."""

    def test_what_was_set_aside_moves_to_the_other_counts(
        self, marketing: Marketing, a_file: Callable[..., Path]
    ) -> None:
        group = marketing.a_group("vip", [861062345678])
        done = marketing.imported(a_file(*VALID, *ASIDE, "12"), group)
        assert (done.set_aside, done.keepable, done.imported) == (4, 3, 3)
        kept = marketing.imports.keep(WORKSPACE, done.id)
        assert (kept.set_aside, kept.keepable, kept.kept) == (1, 0, 3)
        assert (kept.imported, kept.already_in_group, kept.duplicates, kept.invalid) == (4, 1, 1, 1)
        assert adds_up(kept)
        assert kept.rejects == done.rejects == len(list(marketing.imports.rejects(WORKSPACE, done.id)))
        assert 8614912345678 in members(marketing)
        assert size(marketing) == len(members(marketing)) == 5

    def test_a_service_number_stays_aside(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        done = marketing.imported(a_file(*VALID, "400 820 8820"), marketing.a_group("vip"))
        assert (done.set_aside, done.keepable) == (1, 0)
        with pytest.raises(NotAllowed, match="nothing_to_keep"):
            marketing.imports.keep(WORKSPACE, done.id)

    def test_where_nothing_else_is_valid_they_are_all_there_is(
        self, marketing: Marketing, a_file: Callable[..., Path]
    ) -> None:
        done = marketing.imported(a_file("85240000000", "85266660000", "12"), marketing.a_group("vip"))
        assert (done.state, done.failure) == (ImportState.DONE, None)
        assert (done.imported, done.invalid, done.keepable, size(marketing)) == (0, 1, 2, 0)
        kept = marketing.imports.keep(WORKSPACE, done.id)
        assert (kept.imported, members(marketing)) == (2, {85240000000, 85266660000})
        assert adds_up(kept)

    def test_they_are_kept_once(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        done = marketing.imported(a_file(*VALID, *ASIDE), marketing.a_group("vip"))
        kept = marketing.imports.keep(WORKSPACE, done.id)
        with pytest.raises(NotAllowed, match="nothing_to_keep"):
            marketing.imports.keep(WORKSPACE, done.id)
        assert marketing.imports.get(WORKSPACE, done.id) == kept

    def test_the_closed_post_is_shown_again(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        done = marketing.imported(a_file(*VALID, *ASIDE), marketing.a_group("vip"))
        for post in marketing.posts.due():
            marketing.posts.shown(post.id, "1.1", post.version, closed=True)
        assert marketing.posts.due() == []
        marketing.imports.keep(WORKSPACE, done.id)
        assert [post.kind for post in marketing.posts.due()] == [PostKind.IMPORT]

    def test_not_into_a_group_that_is_gone(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        done = marketing.imported(a_file(*VALID, *ASIDE), marketing.a_group("vip"))
        without_group(marketing, done)
        with pytest.raises(NotAllowed, match="import_group_gone"):
            marketing.imports.keep(WORKSPACE, done.id)
        with pytest.raises(NotAllowed, match="import_group_gone"):
            undo(marketing, done)


class TestUndoing:
    """What it alone brought goes, unless somebody was sent to."""

    def test_it_takes_out_what_it_alone_brought(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        group = marketing.a_group("vip")
        first = marketing.imported(a_file(*VALID[:2], name="1.csv"), group)
        second = marketing.imported(a_file(*VALID, *ASIDE, name="2.csv"), group)
        marketing.imports.keep(WORKSPACE, second.id)
        undone = undo(marketing, second)
        assert (undone.state, undone.ended_by, undone.taken_out) == (ImportState.UNDONE, BEN, 3)
        assert members(marketing) == {8613800000001, 8613800000002}
        assert size(marketing) == 2
        undo(marketing, first)
        assert size(marketing) == 0

    def test_once(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        done = marketing.imported(a_file(*VALID), marketing.a_group("vip"))
        undo(marketing, done)
        with pytest.raises(NotAllowed, match="not_undoable"):
            undo(marketing, done)
        with pytest.raises(NotAllowed, match="nothing_to_keep"):
            marketing.imports.keep(WORKSPACE, done.id)

    @pytest.mark.parametrize("state", [state for state in TaskState if state is not TaskState.DRAFT])
    def test_not_once_a_task_holds_its_numbers(
        self, marketing: Marketing, a_file: Callable[..., Path], state: TaskState
    ) -> None:
        done = marketing.imported(a_file(*VALID), marketing.a_group("vip"))
        marketing.clock.move(SECOND)
        task = marketing.confirmed(marketing.a_draft())
        in_state(marketing, task.id, state)
        if state in (TaskState.CANCELLED, TaskState.EXPIRED):
            assert undo(marketing, done).state is ImportState.UNDONE
            return
        with pytest.raises(NotAllowed) as refused:
            undo(marketing, done)
        facts = {"number": task.number, "forgotten": False}
        assert (refused.value.rule, refused.value.facts) == ("import_sent", facts)
        assert size(marketing) == 3

    def test_a_draft_does_not_stand_in_the_way(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        done = marketing.imported(a_file(*VALID), marketing.a_group("vip"))
        marketing.a_draft()
        assert undo(marketing, done).state is ImportState.UNDONE

    def test_a_task_to_others_does_not_stand_in_the_way(
        self, marketing: Marketing, a_file: Callable[..., Path]
    ) -> None:
        group = marketing.a_group("vip", [8613900000001])
        marketing.confirmed(marketing.a_draft())
        marketing.clock.move(SECOND)
        done = marketing.imported(a_file(*VALID), group)
        marketing.a_group("gold", [8613800000001])
        marketing.clock.move(SECOND)
        marketing.confirmed(marketing.a_draft(["gold"]))
        assert undo(marketing, done).state is ImportState.UNDONE
        assert members(marketing) == {8613900000001}

    def test_a_task_to_the_whole_pool_stands_in_the_way(
        self, marketing: Marketing, a_file: Callable[..., Path]
    ) -> None:
        done = marketing.imported(a_file(*VALID), marketing.a_group("vip"))
        marketing.clock.move(SECOND)
        wanted = SendRequest((), "spring", source=Source.POOL)
        marketing.confirmed(marketing.previews.draft(WORKSPACE, CHANNEL, BEN, wanted))
        with pytest.raises(NotAllowed, match="import_sent"):
            undo(marketing, done)

    @pytest.mark.parametrize("way", ["split", "copied", "merged"])
    def test_a_task_to_a_group_that_has_its_numbers_from_there_stands_in_the_way(
        self, marketing: Marketing, a_file: Callable[..., Path], changes: GroupChanges, way: str
    ) -> None:
        group = marketing.a_group("vip")
        done = marketing.imported(a_file(*VALID, "85261234567"), group)
        if way == "split":
            changes.split(WORKSPACE, group.id, BEN)
        else:
            copied = changes.copy(WORKSPACE, group.id, "vip CN", BEN)
        if way == "merged":
            changes.merge(WORKSPACE, copied.id, marketing.a_group("gold").id)
        marketing.clock.move(SECOND)
        task = marketing.confirmed(marketing.a_draft(["gold" if way == "merged" else "vip CN"]))
        with pytest.raises(NotAllowed) as refused:
            undo(marketing, done)
        assert refused.value.facts == {"number": task.number, "forgotten": False}
        assert size(marketing) == 4

    def test_a_task_to_a_part_without_numbers_of_it_does_not_stand_in_the_way(
        self, marketing: Marketing, a_file: Callable[..., Path], changes: GroupChanges
    ) -> None:
        group = marketing.a_group("vip", [8613900000001])
        done = marketing.imported(a_file("85261234567"), group)
        changes.split(WORKSPACE, group.id, BEN)
        marketing.clock.move(SECOND)
        marketing.confirmed(marketing.a_draft(["vip CN"]))
        assert undo(marketing, done).state is ImportState.UNDONE
        assert members(marketing) == {8613900000001}

    def test_a_task_that_was_stopped_before_it_began_does_not_stand_in_the_way(
        self, marketing: Marketing, a_file: Callable[..., Path]
    ) -> None:
        done = marketing.imported(a_file(*VALID), marketing.a_group("vip"))
        marketing.clock.move(SECOND)
        task = marketing.confirmed(marketing.a_draft(at=marketing.in_(timedelta(hours=1))))
        with pytest.raises(NotAllowed, match="import_sent"):
            undo(marketing, done)
        stopped = marketing.tasks.stop(WORKSPACE, task.number, BEN)
        assert (stopped.task.state, stopped.handed_over) == (TaskState.STOPPED, 0)
        assert undo(marketing, done).state is ImportState.UNDONE

    async def test_nor_does_it_become_possible_when_retention_has_taken_what_was_sent(
        self, marketing: Marketing, a_file: Callable[..., Path]
    ) -> None:
        done = marketing.imported(a_file(*VALID), marketing.a_group("vip"))
        marketing.clock.move(SECOND)
        task = marketing.confirmed(marketing.a_draft())
        await marketing.send_all()
        marketing.clock.move(timedelta(days=9))
        Retention(marketing.database, marketing.clock, Periods(timedelta(days=5))).tick()
        assert marketing.task(task).forgotten_at is not None
        with pytest.raises(NotAllowed) as refused:
            undo(marketing, done)
        assert refused.value.facts == {"number": task.number, "forgotten": True}
        later = marketing.imported(a_file("13800000009", name="2.csv"), marketing.groups.find(WORKSPACE, "vip"))
        assert undo(marketing, later).state is ImportState.UNDONE, "it came after that task"

    def test_another_workspace_cannot(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        done = marketing.imported(a_file(*VALID), marketing.a_group("vip"))
        with pytest.raises(UnknownThing):
            marketing.imports.undo("T0OTHER", done.id, BEN)


class TestUndoingWhileATaskIsConfirmed:
    """Whichever comes first wins; a task never goes to numbers that are taken out."""

    @pytest.fixture
    def draft_and_import(self, marketing: Marketing, a_file: Callable[..., Path]) -> tuple[Preview, Import]:
        done = marketing.imported(a_file(*VALID), marketing.a_group("vip", [8613900000001]))
        marketing.clock.move(SECOND)
        return marketing.a_draft(), done

    @pytest.mark.parametrize("first", ["confirm", "undo"])
    def test_the_second_waits_for_the_first(
        self, postgresql: Database, a_file: Callable[..., Path], first: str
    ) -> None:
        marketing = Marketing(postgresql)
        group = marketing.a_group("vip", [8613900000001])
        done = marketing.imported(a_file(*VALID), group)
        marketing.clock.move(SECOND)
        draft = marketing.a_draft()
        work = {
            "confirm": lambda: marketing.confirmations.confirm(WORKSPACE, draft.draft_id, BEN),
            "undo": lambda: undo(marketing, done),
        }
        names = [first, *(name for name in work if name != first)]
        with ThreadPoolExecutor(2) as threads, postgresql.write(everyone=True) as holding:
            # Both have begun and stand in line for the group before either can have it.
            holding.execute(select(customer_group).where(customer_group.c.id == group.id).with_for_update())
            results = {}
            for waiting, name in enumerate(names, 1):
                results[name] = threads.submit(work[name])
                until_waiting(postgresql, waiting)
            holding.rollback()
            if first == "confirm":
                task = results["confirm"].result()
                assert (type(task), size(marketing)) == (Task, 4)
                with pytest.raises(NotAllowed, match="import_sent"):
                    results["undo"].result()
            else:
                undone = results["undo"].result()
                assert isinstance(undone, Import)
                assert undone.state is ImportState.UNDONE
                again = results["confirm"].result()
                assert isinstance(again, Preview)
                assert (again.changed, again.recipients) == (["groups"], 1)

    @pytest.mark.parametrize("attempt", range(6))
    def test_at_the_same_moment_one_of_them_wins(
        self, marketing: Marketing, draft_and_import: tuple[Preview, Import], attempt: int
    ) -> None:
        draft, done = draft_and_import
        together = threading.Barrier(2)

        def confirm() -> bool:
            together.wait(20)
            return isinstance(marketing.confirmations.confirm(WORKSPACE, draft.draft_id, BEN), Task)

        def take_out() -> bool:
            together.wait(20)
            try:
                return undo(marketing, done).state is ImportState.UNDONE
            except NotAllowed:
                return False

        with ThreadPoolExecutor(2) as threads:
            results = [threads.submit(confirm), threads.submit(take_out)]
            confirmed, undone = [result.result() for result in results]
        assert confirmed is not undone
        assert size(marketing) == len(members(marketing)) == (4 if confirmed else 1)


class TestTheSameFileTwice:
    def test_the_second_time_imports_nothing(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        group = marketing.a_group("vip")
        cells = [*VALID, VALID[0], *ASIDE, "12"]
        first = marketing.imported(a_file(*cells, name="1.csv"), group)
        second = marketing.imported(a_file(*cells, name="2.csv"), group)
        assert (first.imported, second.imported, second.already_in_group) == (3, 0, 3)
        assert (first.duplicates, second.duplicates) == (1, 1)
        assert adds_up(second)
        undo(marketing, second)
        assert size(marketing) == 3


class TestCancelling:
    """It leaves nothing behind, whenever it comes."""

    def test_while_it_is_read(
        self, marketing: Marketing, a_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.import_run._LOOK_SECONDS", 0)
        monkeypatch.setattr("services.import_run._REJECTS_AT_ONCE", 1)
        path = a_file(*VALID, *ASIDE)
        running = marketing.an_import(path, marketing.a_group("vip"))
        calls = []

        def cancel(_progress: Progress) -> None:
            calls.append(noted_rejects(marketing))
            if len(calls) == 2:
                marketing.imports.cancel(WORKSPACE, running.id, BEN)

        ended = marketing.imports.run(running, path, cancel)
        assert (ended.state, ended.ended_by) == (ImportState.CANCELLED, BEN)
        assert calls == [0, 4]
        assert (members(marketing), size(marketing), noted_rejects(marketing)) == (set(), 0, 0)
        assert marketing.imports.running() == []
        assert [post.kind for post in marketing.posts.due()] == [PostKind.IMPORT]

    def test_before_it_is_read(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        path = a_file(*VALID)
        running = marketing.an_import(path, marketing.a_group("vip"))
        marketing.imports.cancel(WORKSPACE, running.id, BEN)
        assert marketing.imports.run(running, path, ignore).state is ImportState.CANCELLED
        assert marketing.imports.fail(running, "not_downloadable").state is ImportState.CANCELLED
        assert size(marketing) == 0

    def test_not_when_it_is_over(self, marketing: Marketing, a_file: Callable[..., Path]) -> None:
        done = marketing.imported(a_file(*VALID), marketing.a_group("vip"))
        with pytest.raises(NotAllowed, match="import_over"):
            marketing.imports.cancel(WORKSPACE, done.id, BEN)
        assert size(marketing) == 3

    @pytest.fixture
    def in_new_group(self, marketing: Marketing) -> Import:
        """A file whose group was made for it."""
        return marketing.imports.begin_in_new_group(WORKSPACE, asked(marketing).id, "vip", SmsType.NOTIFICATION, BEN)

    def test_a_group_that_was_made_for_it_goes_too(self, marketing: Marketing, in_new_group: Import) -> None:
        cancelled = marketing.imports.cancel(WORKSPACE, in_new_group.id, BEN)
        assert (cancelled.group_id, cancelled.made_group) == (None, "vip")
        assert marketing.groups.list(WORKSPACE) == []
        marketing.a_group("vip")

    @pytest.mark.parametrize("why", ["filled", "renamed", "merged", "awaited"])
    def test_unless_somebody_has_found_a_use_for_it(
        self, marketing: Marketing, in_new_group: Import, changes: GroupChanges, why: str
    ) -> None:
        group = marketing.groups.find(WORKSPACE, "vip")
        match why:
            case "filled":
                marketing.join(group, numbers(1))
            case "renamed":
                changes.rename(WORKSPACE, group.id, "gold")
            case "merged":
                # Only one that waits for its column can be.
                with marketing.database.write(everyone=True) as tx:
                    tx.execute(number_import.update().values(state=ImportState.WAITING.value))
                    tx.commit()
                changes.merge(WORKSPACE, group.id, marketing.a_group("gold").id)
            case "awaited":
                marketing.imports.begin(WORKSPACE, asked(marketing, "F2").id, group.id)
        assert marketing.imports.cancel(WORKSPACE, in_new_group.id, BEN).state is ImportState.CANCELLED
        kept = marketing.groups.find(WORKSPACE, "gold" if why in ("renamed", "merged") else "vip")
        assert marketing.imports.get(WORKSPACE, in_new_group.id).group_id == kept.id


class TestChoosingTheColumn:
    """A file with two columns of numbers is not guessed at."""

    @pytest.fixture
    def two_columns(self, tmp_path: Path) -> Path:
        path = tmp_path / "two.csv"
        rows = [f"Guest {no},1380000000{no},1390000000{no}" for no in range(5)]
        path.write_text("\n".join(["Name,Mobile,Phone", *rows]) + "\n", "utf-8")
        return path

    def test_nothing_is_imported_before_a_person_has_chosen(self, marketing: Marketing, two_columns: Path) -> None:
        waiting = marketing.imported(two_columns, marketing.a_group("vip"))
        assert (waiting.state, waiting.finished_at, size(marketing)) == (ImportState.WAITING, None, 0)
        assert [(column.header, column.samples) for column in waiting.columns] == [
            ("Mobile", ("13800000000", "13800000001", "13800000002")),
            ("Phone", ("13900000000", "13900000001", "13900000002")),
        ]
        assert marketing.imports.running() == []

    def test_the_chosen_one_is_imported(self, marketing: Marketing, two_columns: Path) -> None:
        waiting = marketing.imported(two_columns, marketing.a_group("vip"))
        running = marketing.imports.choose_column(WORKSPACE, waiting.id, waiting.columns[1].choice)
        assert marketing.imports.running() == [running]
        done = marketing.imports.run(running, two_columns, ignore)
        assert (done.state, done.imported) == (ImportState.DONE, 5)
        assert members(marketing) == set(numbers(5, 8613900000000))
        with pytest.raises(NotAllowed, match="column_chosen"):
            marketing.imports.choose_column(WORKSPACE, waiting.id, waiting.columns[0].choice)

    def test_another_sheet_with_other_columns_asks_again(self, marketing: Marketing, tmp_path: Path) -> None:
        path = unclear_sheets(tmp_path / "a.xlsx")
        waiting = marketing.imported(path, marketing.a_group("vip"))
        asked = []
        while waiting.state is ImportState.WAITING:
            asked.append((waiting.columns_sheet, [column.choice for column in waiting.columns], size(marketing)))
            running = marketing.imports.choose_column(WORKSPACE, waiting.id, waiting.columns[len(asked) % 2].choice)
            waiting = marketing.imports.run(running, path, ignore)
        assert asked == [("Spring", ["mobile", "phone"], 0), ("Winter", ["tel", "cell"], 0)]
        assert (waiting.state, waiting.chosen) == (ImportState.DONE, ("phone", "tel"))
        assert members(marketing) == {*numbers(3, 8613900000000), *numbers(3, 8613800000000)}

    def test_only_a_column_that_was_offered(self, marketing: Marketing, two_columns: Path) -> None:
        waiting = marketing.imported(two_columns, marketing.a_group("vip"))
        with pytest.raises(UnknownThing):
            marketing.imports.choose_column(WORKSPACE, waiting.id, "Name")
        with pytest.raises(UnknownThing):
            marketing.imports.choose_column("T0OTHER", waiting.id, waiting.columns[0].choice)

    def test_it_may_be_cancelled_instead(self, marketing: Marketing, two_columns: Path) -> None:
        waiting = marketing.imported(two_columns, marketing.a_group("vip"))
        assert marketing.imports.cancel(WORKSPACE, waiting.id, BEN).state is ImportState.CANCELLED
        with pytest.raises(NotAllowed, match="column_chosen"):
            marketing.imports.choose_column(WORKSPACE, waiting.id, waiting.columns[0].choice)

    def test_where_the_group_is_gone_meanwhile_it_fails(self, marketing: Marketing, two_columns: Path) -> None:
        waiting = marketing.imported(two_columns, marketing.a_group("vip"))
        without_group(marketing, waiting)
        running = marketing.imports.choose_column(WORKSPACE, waiting.id, waiting.columns[0].choice)
        failed = marketing.imports.run(running, two_columns, ignore)
        assert (failed.state, failed.failure) == (ImportState.FAILED, GROUP_GONE)


def until_waiting(database: Database, count: int) -> None:
    """Until so many transactions wait for a row that another has locked (PostgreSQL)."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with database.read(everyone=True) as connection:
            if connection.exec_driver_sql(waiting).scalar_one() >= count:
                return
        time.sleep(0.01)
    raise AssertionError(f"{count} did not come to wait")


def asked(marketing: Marketing, file_id: str = "F1") -> Import:
    """A dropped file that waits for its group."""
    file = UploadedFile(file_id, "a.csv", 10, "https://files.example.com/1", CHANNEL, "171.01")
    received = marketing.imports.receive(WORKSPACE, file, BEN)
    assert received is not None
    return received


def undo(marketing: Marketing, done: Import) -> Import:
    return marketing.imports.undo(marketing.workspace_id, done.id, BEN)


def without_group(marketing: Marketing, done: Import) -> None:
    """As deleting a group leaves its imports."""
    with marketing.database.write(everyone=True) as tx:
        tx.execute(number_import.update().where(number_import.c.id == done.id).values(group_id=None))
        tx.execute(group_member.delete())
        tx.execute(customer_group.delete())
        tx.commit()


def in_state(marketing: Marketing, task_id: int, state: TaskState) -> None:
    with marketing.database.write(everyone=True) as tx:
        tx.execute(send_task.update().where(send_task.c.id == task_id).values(state=state.value))
        tx.commit()
