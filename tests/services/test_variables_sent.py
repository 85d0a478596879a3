"""A template with variables: each request carries every number's values, and what arrives at it."""

import json

import pytest
from sqlalchemy import update

from services.models import recipient, send_task
from services.task_reports import Task
from services.text import fill
from tests.services.builders import FIRST_NUMBER, Marketing
from tests.services.fakes import not_taken

PEOPLE = [["Ana", "9"], ["Ben", "{name}"], ["李", "10"]]


def a_personal_task(marketing: Marketing) -> Task:
    """Three recipients, each with their own name and hour."""
    task = marketing.a_confirmed_task(len(PEOPLE))
    with marketing.database.write(everyone=True) as tx:
        names = json.dumps(["name", "1"])
        tx.execute(update(send_task).values(text="【Spring】Dear ${name}, see you at ${1}.", variables=names))
        for seq, values in enumerate(PEOPLE, start=1):
            filled = json.dumps(values, ensure_ascii=False)
            tx.execute(update(recipient).where(recipient.c.seq == seq).values({"values": filled}))
        tx.commit()
    return task


async def test_a_request_carries_the_values_and_texts_of_its_numbers(marketing: Marketing) -> None:
    task = a_personal_task(marketing)
    await marketing.send_all()
    (request,) = marketing.carrier.requests
    assert request.values == {FIRST_NUMBER + place: values for place, values in enumerate(PEOPLE)}
    assert request.text_for(FIRST_NUMBER) == "【Spring】Dear Ana, see you at 9."
    assert request.text_for(FIRST_NUMBER + 1) == "【Spring】Dear Ben, see you at {name}."
    assert marketing.task(task).accepted == 3


async def test_what_is_sent_again_carries_them_too(marketing: Marketing) -> None:
    a_personal_task(marketing)
    marketing.carrier.will(not_taken(retry_after_seconds=0))
    await marketing.send_all()
    (request,) = marketing.carrier.requests
    assert request.text_for(FIRST_NUMBER + 2) == "【Spring】Dear 李, see you at 10."


async def test_without_variables_there_is_one_text(marketing: Marketing) -> None:
    marketing.a_confirmed_task(3)
    await marketing.send_all()
    (request,) = marketing.carrier.requests
    assert (request.values, request.texts) == ({}, {})
    assert request.text_for(FIRST_NUMBER) == "【Spring】We open at nine."


@pytest.mark.parametrize(
    ("text", "names", "values", "becomes"),
    [
        ("Dear {name}.", ["name"], ["Ana"], "Dear Ana."),
        ("{1} ${2} {1}", ["1", "2"], ["a", "b"], "a b a"),
        ("{1}{2}", ["1", "2"], ["{2}", "x"], "{2}x"),
        (r"{1}", ["1"], [r"\1 $"], r"\1 $"),
        ("no variable", [], [], "no variable"),
        ("{other}", ["1"], ["x"], "{other}"),
    ],
)
def test_fill(text: str, names: list[str], values: list[str], becomes: str) -> None:
    assert fill(text, names, values) == becomes
