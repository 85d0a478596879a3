"""A file dropped for one send alone: its rows are kept, and nothing of it goes into a group."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from services.errors import NotAllowed, UnknownThing
from services.import_tally import Tally
from services.imports import Import, Purpose, UploadedFile
from services.models import import_row, number_import
from services.numbers import NumberChecker
from services.spreadsheets.reader import read_numbers
from services.states import ImportState, Source
from tests.services.audiences import asked
from tests.services.builders import ANA, CHANNEL, Marketing

CSV = "City,Mobile,Name,Code\nRome,13800000002,Ben,b\nOslo,13800000001,Ana,a\nBonn,13800000002,Ben,c\n"
CSV += "Rome,13800000002,Ben,b\n,010 6234 5678,Cy,d\n,12345,Dan,e\n"


def begun(marketing: Marketing, path: Path, file_id: str = "F1") -> Import:
    file = UploadedFile(file_id, path.name, path.stat().st_size, "https://files.example.com/1", CHANNEL, "171.01")
    asked_about = marketing.imports.receive(marketing.workspace_id, file, ANA)
    assert asked_about is not None
    return marketing.imports.begin_for_send(marketing.workspace_id, asked_about.id)


def read(marketing: Marketing, path: Path, content: str = CSV) -> Import:
    path.write_text(content, "utf-8")
    return marketing.imports.run(begun(marketing, path), path, lambda progress: None)


def rows(marketing: Marketing) -> list[tuple[int, int, str | None]]:
    with marketing.database.read(everyone=True) as connection:
        query = select(import_row).order_by(import_row.c.number, import_row.c.seq)
        return [(row.number, row.row, row.attributes) for row in connection.execute(query)]


def test_a_number_stands_there_as_often_as_its_columns_differ(marketing: Marketing, tmp_path: Path) -> None:
    done = read(marketing, tmp_path / "may.csv")
    assert (done.state, done.purpose, done.group_id) == (ImportState.DONE, Purpose.SEND, None)
    assert (done.rows, done.imported, done.duplicates, done.invalid, done.set_aside) == (6, 3, 1, 1, 1)
    assert rows(marketing) == [
        (8613800000001, 3, '{"City":"Oslo","Name":"Ana","Code":"a"}'),
        (8613800000002, 2, '{"City":"Rome","Name":"Ben","Code":"b"}'),
        (8613800000002, 4, '{"City":"Bonn","Name":"Ben","Code":"c"}'),
    ]
    assert [each.original for each in marketing.imports.rejects(marketing.workspace_id, done.id)] == [
        "010 6234 5678",
        "12345",
    ]
    assert marketing.groups.list(marketing.workspace_id) == []


def test_the_columns_behind_the_numbers_come_first(marketing: Marketing, tmp_path: Path) -> None:
    read(marketing, tmp_path / "may.csv")
    with marketing.database.read(everyone=True) as connection:
        names = connection.execute(select(number_import.c.attribute_names)).scalar_one()
    assert names == '["Name", "Code", "City"]'


def test_the_file_can_be_sent_to(marketing: Marketing, tmp_path: Path) -> None:
    done = read(marketing, tmp_path / "may.csv")
    shown = asked(marketing, source=Source.FILE, import_id=done.id)
    assert (shown.file, shown.recipients) == ("may.csv", 2)
    filled = asked(marketing, "personal", source=Source.FILE, import_id=done.id)
    assert filled.samples[0][1] == "【Spring】Dear Ana, see you at Ana.", "${1} is the first column behind the numbers"


def test_set_aside_numbers_can_be_kept_where_there_are_no_others(marketing: Marketing, tmp_path: Path) -> None:
    done = read(marketing, tmp_path / "may.csv", "mobile\n85240000000\n85266660000\n")
    assert (done.state, done.imported, done.keepable) == (ImportState.DONE, 0, 2)
    marketing.imports.keep(marketing.workspace_id, done.id)
    assert [number for number, _, _ in rows(marketing)] == [85240000000, 85266660000]


def test_set_aside_numbers_can_be_kept(marketing: Marketing, tmp_path: Path) -> None:
    done = read(marketing, tmp_path / "may.csv")
    kept = marketing.imports.keep(marketing.workspace_id, done.id)
    assert (kept.imported, kept.set_aside, kept.kept, kept.keepable) == (4, 0, 1, 0)
    assert kept.rows == kept.imported + kept.duplicates + kept.invalid + kept.set_aside
    assert (861062345678, 6, None) in rows(marketing)
    with pytest.raises(NotAllowed) as refused:
        marketing.imports.keep(marketing.workspace_id, done.id)
    assert refused.value.rule == "nothing_to_keep"


def test_a_file_of_numbers_that_were_all_set_aside_can_be_kept(marketing: Marketing, tmp_path: Path) -> None:
    done = read(marketing, tmp_path / "may.csv", "Mobile\n010 6234 5678\n010 6234 5679\n")
    assert (done.state, done.imported, done.keepable) == (ImportState.DONE, 0, 2)
    kept = marketing.imports.keep(marketing.workspace_id, done.id)
    assert (kept.imported, kept.keepable) == (2, 0)
    assert [number for number, _, _ in rows(marketing)] == [861062345678, 861062345679]


def test_a_file_is_begun_once(marketing: Marketing, tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    path.write_text(CSV, "utf-8")
    running = begun(marketing, path)
    with pytest.raises(NotAllowed) as refused:
        marketing.imports.begin_for_send(marketing.workspace_id, running.id)
    assert refused.value.rule == "import_begun"


def test_a_file_that_is_still_being_read_cannot_be_sent_to(marketing: Marketing, tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    path.write_text(CSV, "utf-8")
    running = begun(marketing, path)
    with pytest.raises(UnknownThing):
        asked(marketing, source=Source.FILE, import_id=running.id)


def test_a_file_in_a_group_is_no_file_for_one_send(marketing: Marketing, tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    path.write_text(CSV, "utf-8")
    done = marketing.imported(path, marketing.a_group("vip"))
    with pytest.raises(UnknownThing):
        asked(marketing, source=Source.FILE, import_id=done.id)


def test_a_file_without_a_valid_number_fails(marketing: Marketing, tmp_path: Path) -> None:
    done = read(marketing, tmp_path / "may.csv", "Mobile\n12345\n")
    assert (done.state, done.failure) == (ImportState.FAILED, "no_valid_number")


def test_rows_sorted_by_a_process_of_their_own_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "may.csv"
    cells = [f"138000{no % 90:05},{no % 3}" for no in range(400)]
    path.write_text("\n".join(["Mobile,Code", *cells]), "utf-8")
    found = []
    for run in (7, 1_000_000):
        tally, checker = Tally(run, repeated=True), NumberChecker("CN")
        for chunk in read_numbers(path, with_attributes=True):
            tally.take(chunk, *checker.check_many(chunk.cells))
        parts = [zip(numbers, marks, texts or (), strict=True) for numbers, marks, texts in tally.members()]
        found.append([each for part in parts for each in part])
        tally.close()
    assert found[0] == found[1]
    assert len(found[0]) == len({(cell.split(",")[0], cell.split(",")[1]) for cell in cells})
