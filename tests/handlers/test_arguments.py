"""What people type behind a command, as their fingers, phones and word processors write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.arguments import Arguments, BadArguments, find_one, parse

KEYS = ("group", "template", "exclude", "at", "name")
Values = dict[str, list[str]]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("   \t ", {}, id="spaces"),
        pytest.param("group:vip", {"group": ["vip"]}, id="one pair"),
        pytest.param("template:spring group:vip", {"template": ["spring"], "group": ["vip"]}, id="any order"),
        pytest.param("group:vip,gold", {"group": ["vip", "gold"]}, id="commas make a list"),
        pytest.param("group:vip , gold name:x", {"group": ["vip", "gold"], "name": ["x"]}, id="commas with spaces"),
        pytest.param("group:vip，gold", {"group": ["vip", "gold"]}, id="full-width comma"),
        pytest.param("group：vip", {"group": ["vip"]}, id="full-width colon"),
        pytest.param("group : vip", {"group": ["vip"]}, id="spaces around the colon"),
        pytest.param("GROUP:VIP", {"group": ["VIP"]}, id="a key in capitals, a value as it is"),
        pytest.param('group:"spring sale"', {"group": ["spring sale"]}, id="quotes hold spaces"),
        pytest.param('group:"a,b:c"', {"group": ["a,b:c"]}, id="quotes hold commas and colons"),
        pytest.param('group:"template:x"', {"group": ["template:x"]}, id="quotes hold a key"),
        pytest.param('group:"a b","c d",e', {"group": ["a b", "c d", "e"]}, id="a list of quoted and bare"),
        pytest.param("group:'a b'", {"group": ["a b"]}, id="single quotes"),
        pytest.param("group:“a b”", {"group": ["a b"]}, id="typographic quotes"),
        pytest.param('group:“a b"', {"group": ["a b"]}, id="a phone mixes them"),
        pytest.param("group:„a b“", {"group": ["a b"]}, id="German quotes"),
        pytest.param("group:‘a b’", {"group": ["a b"]}, id="typographic single quotes"),
        pytest.param("group:«a b»", {"group": ["a b"]}, id="French quotes"),
        pytest.param("group:「a b」", {"group": ["a b"]}, id="Chinese quotes"),
        pytest.param("group:ben's", {"group": ["ben's"]}, id="an apostrophe is no quote"),
        pytest.param("group:贵宾 template:春季", {"group": ["贵宾"], "template": ["春季"]}, id="Chinese names"),
        pytest.param("group:vip\u00a0template:x", {"group": ["vip"], "template": ["x"]}, id="no-break space"),
        pytest.param("group:vip\u3000template:x", {"group": ["vip"], "template": ["x"]}, id="ideographic space"),
        pytest.param('group:"  a   b "', {"group": ["a b"]}, id="spaces inside quotes become one"),
        pytest.param('group:"<!channel> & co"', {"group": ["<!channel> & co"]}, id="a mention is only text"),
        pytest.param('at:"tomorrow 10:00"', {"at": ["tomorrow 10:00"]}, id="a time in quotes"),
        pytest.param("at:10:00", {"at": ["10:00"]}, id="a bare time"),
        pytest.param("at:明天上午10点", {"at": ["明天上午10点"]}, id="a Chinese time needs no quotes"),
        pytest.param("group:vip: template:x", {"group": ["vip:"], "template": ["x"]}, id="a stray colon"),
        pytest.param('group:"a"template:b', {"group": ["a"], "template": ["b"]}, id="no space after a closing quote"),
    ],
)
def test_pairs_are_read_as_people_write_them(text: str, values: Values) -> None:
    assert parse(text, KEYS) == Arguments(values, [])


@pytest.mark.parametrize(
    ("text", "why", "value"),
    [
        pytest.param("grup:vip", "unknown_key", "grup", id="unknown key"),
        pytest.param("Grup：vip", "unknown_key", "Grup", id="an unknown key as it was typed"),
        pytest.param("http://x.example", "unknown_key", "http", id="an address"),
        pytest.param("group:vip group:gold", "repeated_key", "group", id="repeated key"),
        pytest.param("group:vip GROUP:gold", "repeated_key", "group", id="repeated in capitals"),
        pytest.param("group:", "no_value", "group", id="no value at the end"),
        pytest.param("group:vip,", "no_value", "group", id="nothing after the comma"),
        pytest.param("group:,vip", "no_value", "group", id="nothing before the comma"),
        pytest.param('group:""', "no_value", "group", id="empty quotes"),
        pytest.param('group:"  "', "no_value", "group", id="quoted spaces"),
        pytest.param('group:"vip', "open_quote", '"vip', id="a quote never closed"),
        pytest.param("group:‘vip'", "open_quote", "‘vip'", id="single quotes are not mixed"),
        pytest.param('"vip', "open_quote", '"vip', id="a quote never closed, without a key"),
        pytest.param("vip", "no_key", "vip", id="a word alone"),
        pytest.param("group:spring sale", "no_key", "sale", id="a name with a space and no quotes"),
        pytest.param("at:tomorrow 10:00", "no_key", "10:00", id="a time with a space and no quotes"),
        pytest.param(", group:vip", "no_key", ",", id="a comma alone"),
        pytest.param('""', "no_key", '""', id="empty quotes alone"),
    ],
)
def test_what_cannot_be_read_says_why_and_where(text: str, why: str, value: str) -> None:
    with pytest.raises(BadArguments) as raised:
        parse(text, KEYS)
    assert (raised.value.why, raised.value.value) == (why, value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("42", ["42"], id="a number"),
        pytest.param("#42", ["#42"], id="with its sign"),
        pytest.param('create "spring sale"', ["create", "spring sale"], id="quoted"),
        pytest.param("4 2", ["4", "2"], id="two"),
    ],
)
def test_words_may_stand_alone_where_the_command_takes_them(text: str, words: list[str]) -> None:
    assert parse(text, (), words=True).words == words


def test_words_and_pairs_mix() -> None:
    assert parse("create name:vip", ("name",), words=True) == Arguments({"name": ["vip"]}, ["create"])


def test_a_key_that_takes_one_value_refuses_two() -> None:
    given_values = parse("name:a,b", KEYS)
    with pytest.raises(BadArguments) as raised:
        given_values.one("name")
    assert (raised.value.why, raised.value.value) == ("one_value", "name")
    assert given_values.one("at") is None
    assert given_values.all("at") == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("here are the customers", None, id="only words"),
        pytest.param("group:vip", "vip", id="alone"),
        pytest.param("customers of May, group:vip, thanks", "vip", id="in a sentence"),
        pytest.param("Group：vip", "vip", id="full-width and capital"),
        pytest.param('for group:"spring sale" please', "spring sale", id="quoted"),
        pytest.param("subgroup:vip", None, id="part of another word"),
        pytest.param("first line\ngroup:vip", "vip", id="on its own line"),
        pytest.param("group:vip group:gold", "vip", id="the first one"),
        pytest.param("here you are, group:vip,", "vip", id="a comma at the end"),
        pytest.param('group:vip, "the new ones', "vip", id="an open quote behind it"),
    ],
)
def test_a_key_is_found_in_free_text(text: str, found: str | None) -> None:
    assert find_one(text, "group") == found


TYPED = st.text(st.sampled_from(" \t\n\"“”„‘’'«»「」,，:：#ab1群<>&*`-_\u00a0\u200bgroup") | st.characters())


@given(TYPED, st.booleans())
def test_any_text_is_read_or_refused(text: str, words: bool) -> None:
    try:
        found = parse(text, ("group", "a"), words=words)
    except BadArguments:
        return
    assert all(value and value == " ".join(value.split()) for each in found.values.values() for value in each)
    assert words or not found.words


@given(TYPED)
def test_any_message_beside_a_file_is_read_or_refused(text: str) -> None:
    try:
        found = find_one(text, "group")
    except BadArguments:
        return
    assert found != ""


@given(st.lists(st.text(st.characters(exclude_characters='"“”', exclude_categories=["Cs"])), min_size=1))
def test_quoted_values_come_back_as_they_were(values: list[str]) -> None:
    cleaned = [cleaned for value in values if (cleaned := " ".join(value.split()))]
    text = "group:" + ",".join(f'"{value}"' for value in cleaned)
    if cleaned:
        assert parse(text, ("group",)).all("group") == cleaned
