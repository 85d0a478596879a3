"""Imports: every row in exactly one count, and all of a file or nothing of it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from services.database import Database
from services.default_regions import DefaultRegions
from services.errors import NotAllowed, UnknownThing
from services.imports import NO_VALID_NUMBER, Import, Imports, Progress, Reject, UploadedFile
from services.models import group_member, import_reject
from services.posts import PostKind
from services.states import ImportState
from tests.services.builders import ANA, BEN, CHANNEL, Marketing
from tests.services.files import a_csv, an_xlsx

VALID = ["13800000001", "13800000002", "13800000003"]
FILE = UploadedFile("F1", "customers.xlsx", 1234, "https://files.example.com/1", CHANNEL, "171.01")


def members(marketing: Marketing, group: str = "vip") -> dict[int, tuple[int, int]]:
    """Each number with the import and the row that first brought it."""
    group_id = marketing.groups.find(marketing.workspace_id, group).id
    with marketing.database.read(everyone=True) as connection:
        rows = connection.execute(select(group_member).where(group_member.c.group_id == group_id))
        return {row.number: (row.import_id, row.row) for row in rows}


def counts(done: Import) -> dict[str, int]:
    names = ("rows", "imported", "already_in_group", "duplicates", "invalid", "set_aside", "by_country_code")
    return {name: value for name in names if (value := getattr(done, name))}


def kinds_of_posts(marketing: Marketing) -> list[PostKind]:
    return [post.kind for post in marketing.posts.due()]


class Interrupted(Exception):
    """The program stops in the middle."""


def interrupt(_progress: Progress) -> None:
    raise Interrupted


def ignore(_progress: Progress) -> None:
    """For imports whose progress nobody watches."""


class TestReceiving:
    """A file is handled once, however often Slack tells of it."""

    def test_a_file_waits_for_a_group(self, marketing: Marketing) -> None:
        asked = marketing.imports.receive(marketing.workspace_id, FILE, ANA)
        assert asked is not None
        assert (asked.state, asked.file, asked.uploaded_by, asked.group) == (ImportState.ASKED, FILE, ANA, None)
        assert marketing.imports.running() == []
        assert kinds_of_posts(marketing) == []

    def test_a_file_told_of_twice_is_known(self, marketing: Marketing) -> None:
        assert marketing.imports.receive(marketing.workspace_id, FILE, ANA) is not None
        assert marketing.imports.receive(marketing.workspace_id, FILE, BEN) is None

    def test_another_workspaces_file_is_another(self, marketing: Marketing) -> None:
        other = Marketing(marketing.database, workspace_id="T0OTHER")
        mine = marketing.imports.receive(marketing.workspace_id, FILE, ANA)
        assert mine is not None
        assert other.imports.receive(other.workspace_id, FILE, ANA) is not None
        with pytest.raises(UnknownThing):
            other.imports.get(other.workspace_id, mine.id)
        group = other.a_group("vip")
        with pytest.raises(NotAllowed):
            other.imports.begin(other.workspace_id, mine.id, group.id)

    def test_choosing_the_group_begins_it_and_owes_the_channel_a_post(self, marketing: Marketing) -> None:
        asked = marketing.imports.receive(marketing.workspace_id, FILE, ANA)
        assert asked is not None
        group = marketing.a_group("vip")
        begun = marketing.imports.begin(marketing.workspace_id, asked.id, group.id)
        assert (begun.state, begun.group, begun.started_at) == (ImportState.RUNNING, "vip", marketing.clock.now())
        assert marketing.imports.running() == [begun]
        assert kinds_of_posts(marketing) == [PostKind.IMPORT]

    def test_a_second_choice_is_too_late(self, marketing: Marketing) -> None:
        asked = marketing.imports.receive(marketing.workspace_id, FILE, ANA)
        assert asked is not None
        marketing.imports.begin(marketing.workspace_id, asked.id, marketing.a_group("vip").id)
        gold = marketing.a_group("gold")
        with pytest.raises(NotAllowed) as refused:
            marketing.imports.begin(marketing.workspace_id, asked.id, gold.id)
        assert refused.value.rule == "import_begun"
        assert marketing.imports.get(marketing.workspace_id, asked.id).group == "vip"

    def test_another_workspaces_group_cannot_be_chosen(self, marketing: Marketing) -> None:
        asked = marketing.imports.receive(marketing.workspace_id, FILE, ANA)
        assert asked is not None
        theirs = Marketing(marketing.database, workspace_id="T0OTHER").a_group("vip")
        with pytest.raises(UnknownThing):
            marketing.imports.begin(marketing.workspace_id, asked.id, theirs.id)
        assert marketing.imports.get(marketing.workspace_id, asked.id).state is ImportState.ASKED


class TestCounting:
    """Every row is in exactly one count."""

    def test_each_row_is_counted_where_it_belongs(self, marketing: Marketing, tmp_path: Path) -> None:
        cells = [*VALID, "138 0000 0001", "+8613800000002", "85264123456", "12", "abc", "", "010 6234 5678"]
        done = marketing.imported(a_csv(tmp_path / "a.csv", cells), marketing.a_group("vip"))
        assert done.state is ImportState.DONE
        assert counts(done) == {
            "rows": 10,
            "imported": 4,
            "duplicates": 2,
            "invalid": 3,
            "set_aside": 1,
            "by_country_code": 1,
        }
        assert members(marketing) == {
            8613800000001: (done.id, 2),
            8613800000002: (done.id, 3),
            8613800000003: (done.id, 4),
            85264123456: (done.id, 7),
        }
        assert marketing.groups.find(marketing.workspace_id, "vip").size == 4

    def test_what_was_left_out_is_listed_as_the_file_has_it(self, marketing: Marketing, tmp_path: Path) -> None:
        cells = ["13800000001", "12", "13800000002 or so", "010 6234 5678", "x" * 300]
        done = marketing.imported(a_csv(tmp_path / "a.csv", cells), marketing.a_group("vip"))
        assert list(marketing.imports.rejects(marketing.workspace_id, done.id)) == [
            Reject("", 3, "12", "too_short", None),
            Reject("", 4, "13800000002 or so", "extra_text", "+8613800000002"),
            Reject("", 5, "010 6234 5678", "landline", None),
            Reject("", 6, "x" * 200, "not_a_number", None),
        ]
        assert done.rejects == 4
        assert dict(marketing.imports.reasons(marketing.workspace_id, done.id)) == {
            "too_short": 1,
            "extra_text": 1,
            "landline": 1,
            "not_a_number": 1,
        }

    def test_the_commonest_reason_comes_first(self, marketing: Marketing, tmp_path: Path) -> None:
        cells = ["13800000001", "abc", "12", "12", "13"]
        done = marketing.imported(a_csv(tmp_path / "a.csv", cells), marketing.a_group("vip"))
        assert marketing.imports.reasons(marketing.workspace_id, done.id) == [("too_short", 3), ("not_a_number", 1)]

    def test_a_number_in_two_sheets_is_taken_once(self, marketing: Marketing, tmp_path: Path) -> None:
        file = an_xlsx(tmp_path / "a.xlsx", {"Spring": VALID, "Winter": [*VALID, "13800000004", "12"]})
        done = marketing.imported(file, marketing.a_group("vip"))
        assert counts(done) == {"rows": 8, "imported": 4, "duplicates": 3, "invalid": 1}
        assert [
            (reject.sheet, reject.row) for reject in marketing.imports.rejects(marketing.workspace_id, done.id)
        ] == [("Winter", 6)]

    def test_a_second_import_brings_nothing_new_and_takes_no_row_over(
        self, marketing: Marketing, tmp_path: Path
    ) -> None:
        group = marketing.a_group("vip")
        first = marketing.imported(a_csv(tmp_path / "a.csv", VALID), group)
        before = members(marketing)
        second = marketing.imported(a_csv(tmp_path / "b.csv", [*VALID[1:], VALID[1], "13800000004"]), group)
        assert counts(first) == {"rows": 3, "imported": 3}
        assert counts(second) == {"rows": 4, "imported": 1, "already_in_group": 2, "duplicates": 1}
        assert members(marketing) == before | {8613800000004: (second.id, 5)}
        assert marketing.groups.find(marketing.workspace_id, "vip").size == 4

    def test_one_file_in_two_groups_is_new_in_both(self, marketing: Marketing, tmp_path: Path) -> None:
        path = a_csv(tmp_path / "a.csv", VALID)
        for name in ("vip", "gold"):
            assert marketing.imported(path, marketing.a_group(name), name).imported == 3
        assert members(marketing, "vip").keys() == members(marketing, "gold").keys()

    def test_progress_grows_to_the_whole_file(self, marketing: Marketing, tmp_path: Path) -> None:
        path = a_csv(tmp_path / "a.csv", [str(13800000000 + index) for index in range(5000)])
        seen: list[Progress] = []
        done = marketing.imports.run(marketing.an_import(path, marketing.a_group("vip")), path, seen.append)
        assert [each.rows for each in seen] == sorted(each.rows for each in seen)
        assert (seen[-1].rows, seen[-1].done, done.imported) == (5000, 1.0, 5000)


CELLS = st.one_of(
    st.integers(0, 40).map(lambda index: f"1380000{index:04}"),
    st.integers(0, 40).map(lambda index: f"+86 138-0000-{index:04}"),
    st.sampled_from(["12", "abc", "", "=1+1", "010 6234 5678", "+447700900001", "85264123456", "1.38E+10", "\u202a"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(cells=st.lists(CELLS, min_size=1, max_size=80), known=st.sets(st.integers(0, 40)))
def test_the_counts_of_any_file_add_up(database: Database, tmp_path: Path, cells: list[str], known: set[int]) -> None:
    marketing = Marketing(database, workspace_id=f"T{len(_workspaces)}")
    _workspaces.append(marketing)
    group = marketing.a_group("vip", [8613800000000 + index for index in known])
    cells = ["13900000000", *cells]  # so that there is always one that is new
    done = marketing.imported(a_csv(tmp_path / f"{len(_workspaces)}.csv", cells), group)
    assert done.rows == len(cells)
    assert done.rows == done.imported + done.already_in_group + done.duplicates + done.invalid + done.set_aside
    assert done.rejects == len(list(marketing.imports.rejects(marketing.workspace_id, done.id)))
    assert len(members(marketing)) == len(known) + done.imported
    assert marketing.groups.by_id(marketing.workspace_id, group.id).size == len(known) + done.imported


_workspaces: list[Marketing] = []

NUMBERS = st.integers(0, 40).map(lambda index: f"1380000{index:04}")
# What reads like a header, a title or nothing, and what people mean by a quote: "as above", or the beginning of a name.
LIKE_A_HEADER = st.sampled_from(["phone;", "Mobile;", "手机号;", "n/a;", "n/a;phone", "Mobile;Name", "name;phone"])
NOTES = st.sampled_from(["x", "", '"', '"', '"Ana', "Ana", "phone"])
LINES = st.one_of(LIKE_A_HEADER, st.builds("{};{}".format, NUMBERS, NOTES), st.builds("{};{}".format, NOTES, NUMBERS))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(LINES, max_size=60))
def test_a_list_without_a_header_loses_no_line(database: Database, tmp_path: Path, lines: list[str]) -> None:
    """Lists that people put together by hand, one below the other, with quotes of their own."""
    marketing = Marketing(database, workspace_id=f"T{len(_workspaces)}")
    _workspaces.append(marketing)
    path = tmp_path / f"{len(_workspaces)}.csv"
    # Some numbers first: one row alone may be the hotline above a header.
    lines = [f"1390000000{no};x" for no in range(9)] + lines
    path.write_text("\n".join(lines), "utf-8")
    done = marketing.imported(path, marketing.a_group("vip"))
    if done.state is not ImportState.WAITING and done.failure != "no_number_column":
        assert done.rows == len(lines)
        assert done.rows == done.imported + done.duplicates + done.invalid + done.set_aside


# openpyxl writes what begins with "=" as a formula, which has no value before a spreadsheet program has opened it.
SHOWN = CELLS.filter(lambda cell: bool(cell.strip()) and cell[0] != "=")
SHEETS = st.lists(
    st.one_of(
        st.lists(SHOWN, min_size=1, max_size=9).map(lambda cells: ["Mobile", *cells]),
        st.lists(st.sampled_from(["9123 4567 ext 1", "9234 5678 (wife)", "Bring cake"]), min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(sheets=SHEETS)
def test_each_sheet_of_a_workbook_is_counted_or_named(
    database: Database, tmp_path: Path, sheets: list[list[str]]
) -> None:
    marketing = Marketing(database, workspace_id=f"T{len(_workspaces)}")
    _workspaces.append(marketing)
    named = {"First": ["Mobile", *VALID]} | {f"S{no}": cells for no, cells in enumerate(sheets)}
    book = {name: cells[1:] for name, cells in named.items()}
    path = tmp_path / f"{len(_workspaces)}.xlsx"
    an_xlsx(path, book, {name: cells[0] for name, cells in named.items()})
    done = marketing.imported(path, marketing.a_group("vip"))
    assert set(done.numberless_sheets) == {name for name, cells in named.items() if cells[0] != "Mobile"}
    assert done.rows == sum(len(cells) for name, cells in book.items() if name not in done.numberless_sheets)


def test_a_list_is_read_as_numbers_are_dialled_in_the_workspaces_region(marketing: Marketing, tmp_path: Path) -> None:
    path = a_csv(tmp_path / "hk.csv", ["6123 4567", "91234567", "85261234568", "13800000001", "+447911123456", "138"])
    regions = DefaultRegions(of_workspaces={marketing.workspace_id: "HK"})
    marketing.imports = Imports(marketing.database, marketing.clock, regions)
    done = marketing.imported(path, marketing.a_group("vip"))
    assert counts(done) == {"rows": 6, "imported": 5, "invalid": 1, "by_country_code": 1}
    assert set(members(marketing)) == {85261234567, 85291234567, 85261234568, 8613800000001, 447911123456}


class TestNothingToImport:
    """All of a file or nothing of it."""

    def test_a_file_without_a_valid_number_fails_with_its_reasons(self, marketing: Marketing, tmp_path: Path) -> None:
        group = marketing.a_group("vip", [8613800000001])
        failed = marketing.imported(a_csv(tmp_path / "a.csv", ["12", "abc", "400 820 8820"]), group)
        assert (failed.state, failed.failure) == (ImportState.FAILED, NO_VALID_NUMBER)
        assert counts(failed) == {"rows": 3, "invalid": 2, "set_aside": 1}
        assert sum(number for _, number in marketing.imports.reasons(marketing.workspace_id, failed.id)) == 3
        assert marketing.groups.find(marketing.workspace_id, "vip").size == 1

    def test_a_file_of_numbers_that_may_be_kept_waits_for_a_person_to_keep_them(
        self, marketing: Marketing, tmp_path: Path
    ) -> None:
        done = marketing.imported(a_csv(tmp_path / "a.csv", ["85240000001", "85266660000"]), marketing.a_group("vip"))
        assert (done.state, done.failure, done.keepable) == (ImportState.DONE, None, 2)
        assert counts(done) == {"rows": 2, "set_aside": 2}
        kept = marketing.imports.keep(marketing.workspace_id, done.id)
        assert counts(kept) == {"rows": 2, "imported": 2}
        assert set(members(marketing)) == {85240000001, 85266660000}

    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            pytest.param("a.xlsx", b"", "empty", id="empty"),
            pytest.param("a.xlsx", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "not_a_spreadsheet", id="picture"),
            pytest.param("a.csv", b"Name,Town\nAna,Rome\nBen,Oslo\n", "no_number_column", id="no numbers"),
            pytest.param("a.xlsx", b"<!DOCTYPE html><html><title>Sign in</title>", "login_page", id="login page"),
        ],
    )
    def test_a_bad_file_leaves_nothing(
        self, marketing: Marketing, tmp_path: Path, name: str, content: bytes, why: str
    ) -> None:
        path = tmp_path / name
        path.write_bytes(content)
        failed = marketing.imported(path, marketing.a_group("vip"))
        assert (failed.state, failed.failure, counts(failed)) == (ImportState.FAILED, why, {})
        assert members(marketing) == {}
        assert list(marketing.imports.rejects(marketing.workspace_id, failed.id)) == []
        assert marketing.imports.running() == []

    def test_a_file_found_bad_halfway_leaves_nothing(self, marketing: Marketing, tmp_path: Path) -> None:
        path = an_xlsx(tmp_path / "a.xlsx", {"Spring": [str(13800000000 + index) for index in range(3000)]})
        path.write_bytes(path.read_bytes()[:-2000])
        failed = marketing.imported(path, marketing.a_group("vip"))
        assert failed.state is ImportState.FAILED
        assert members(marketing) == {}

    def test_a_failed_import_is_told_in_its_post(self, marketing: Marketing, tmp_path: Path) -> None:
        path = a_csv(tmp_path / "a.csv", [])
        running = marketing.an_import(path, marketing.a_group("vip"))
        (post,) = marketing.posts.due()
        marketing.posts.shown(post.id, "1.1", post.version, closed=False)
        assert marketing.posts.due() == []
        marketing.imports.fail(running, "not_downloadable")
        assert kinds_of_posts(marketing) == [PostKind.IMPORT]


class TestEnding:
    """An import ends once, and owes what it has to show."""

    def test_rejects_are_owed_as_a_file_only_where_there_are_any(self, marketing: Marketing, tmp_path: Path) -> None:
        group = marketing.a_group("vip")
        marketing.imported(a_csv(tmp_path / "a.csv", VALID), group)
        assert kinds_of_posts(marketing) == [PostKind.IMPORT]
        marketing.imported(a_csv(tmp_path / "b.csv", [*VALID, "12"]), group)
        assert kinds_of_posts(marketing) == [PostKind.IMPORT, PostKind.IMPORT, PostKind.REJECTS]

    def test_an_interrupted_import_has_stored_nothing_and_starts_over(
        self, marketing: Marketing, tmp_path: Path
    ) -> None:
        path = a_csv(tmp_path / "a.csv", [*VALID, "12", VALID[0]])
        running = marketing.an_import(path, marketing.a_group("vip"))
        with pytest.raises(Interrupted):
            marketing.imports.run(running, path, interrupt)
        assert members(marketing) == {}
        (again,) = marketing.imports.running()
        done = marketing.imports.run(again, path, ignore)
        assert counts(done) == {"rows": 5, "imported": 3, "duplicates": 1, "invalid": 1}
        assert done.state is ImportState.DONE

    def test_an_import_that_ran_twice_counts_once(self, marketing: Marketing, tmp_path: Path) -> None:
        path = a_csv(tmp_path / "a.csv", [*VALID, "12"])
        running = marketing.an_import(path, marketing.a_group("vip"))
        done = marketing.imports.run(running, path, ignore)
        with pytest.raises(NotAllowed) as refused:
            marketing.imports.run(running, path, ignore)
        assert refused.value.rule == "import_begun"
        assert marketing.imports.get(marketing.workspace_id, running.id) == done
        assert marketing.groups.find(marketing.workspace_id, "vip").size == 3
        assert _rows(marketing.database, done) == 1

    def test_how_long_it_took_is_told(self, marketing: Marketing, tmp_path: Path) -> None:
        path = a_csv(tmp_path / "a.csv", VALID)
        running = marketing.an_import(path, marketing.a_group("vip"))
        assert running.took is None
        done = marketing.imports.run(running, path, ignore)
        assert done.took is not None


def _rows(database: Database, done: Import) -> int:
    with database.read(everyone=True) as connection:
        query = select(func.count()).select_from(import_reject).where(import_reject.c.import_id == done.id)
        return connection.execute(query).scalar_one()
