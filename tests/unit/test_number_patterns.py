"""The automaton matches what `re` matches, and knows how many digits decide it."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.number_patterns import Automaton, State, UnsupportedPattern

ATOMS = st.sampled_from(["1", "0", r"\d", "[13]", "[0-35]", "[02-9]"])
COUNTS = st.sampled_from(["", "?", "{2}", "{1,3}"])
PATTERNS = st.recursive(
    st.builds("{}{}".format, ATOMS, COUNTS),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.builds("(?:{}){}".format, st.lists(inner, min_size=1, max_size=3).map("|".join), COUNTS)
    ),
    max_leaves=8,
)


def at_end(state: State, digits: str) -> State:
    for digit in digits:
        state = state.after(digit)
    return state


@settings(deadline=None)
@given(PATTERNS, st.text("0123", max_size=8))
def test_it_matches_what_re_matches(pattern: str, digits: str) -> None:
    state = at_end(Automaton([(7, pattern, False)]).start, digits)
    assert state.tags == ({7} if re.fullmatch(pattern, digits) else set())


@settings(deadline=None)
@given(PATTERNS, st.text("0123", max_size=8))
def test_an_open_pattern_matches_by_its_first_digits(pattern: str, digits: str) -> None:
    state = at_end(Automaton([(7, pattern, True)]).start, digits)
    assert state.tags == ({7} if re.match(pattern, digits) else set())


@settings(deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=3), st.text("0123", max_size=4), st.integers(0, 3))
def test_an_outcome_is_known_exactly_when_every_ending_has_the_same(
    patterns: list[str], start: str, remaining: int
) -> None:
    state = at_end(Automaton((tag, pattern, False) for tag, pattern in enumerate(patterns)).start, start)
    endings = map("".join, itertools.product("0123456789", repeat=remaining))
    outcomes = {
        frozenset(tag for tag, pattern in enumerate(patterns) if re.fullmatch(pattern, start + ending))
        for ending in endings
    }
    assert state.outcome(remaining) == (outcomes.pop() if len(outcomes) == 1 else None)


@settings(deadline=None)
@given(PATTERNS, st.text("0123", max_size=6))
def test_from_a_dead_state_nothing_more_can_match(pattern: str, digits: str) -> None:
    if at_end(Automaton([(0, pattern, False)]).start, digits).is_dead:
        assert not any(re.fullmatch(pattern, digits + more) for more in ("0", "1", "2", "3", "12", "301"))


def test_two_digits_decide_a_simple_plan() -> None:
    start = Automaton([(0, r"1[3-9]\d{9}", False)]).start
    assert start.outcome(11) is None
    assert at_end(start, "13").outcome(9) == frozenset({0})
    assert at_end(start, "12").outcome(9) == frozenset()
    assert start.outcome(10) == frozenset()


@pytest.mark.parametrize(
    "pattern", ["(?!1)2", "(?=1)1", "1*", "1+", "a", ".", "(1", "1)", r"(1)\1", "1{2,}", "[^1]", "1??"]
)
def test_what_it_cannot_follow_is_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedPattern):
        Automaton([(0, pattern, False)])
