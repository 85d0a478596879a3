"""Regular expressions over digits, run side by side as one automaton, to tell how few digits decide the outcome.

A numbering plan is regular expressions such as `1[3-9][0-9]{9}`: after `13`, any nine digits more match. Knowing that
exactly is what lets one question to libphonenumber answer for a million numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, partial
from typing import Protocol

_DIGITS = "0123456789"


class UnsupportedPattern(ValueError):
    """The pattern holds something this automaton does not follow, such as a lookahead."""


class State:
    """Where a run of digits leads; made when first reached. `tags` are the patterns matched if no digit follows."""

    __slots__ = ("_automaton", "_next", "_nodes", "_outcomes", "tags")

    def __init__(self, automaton: Automaton, nodes: frozenset[int], tags: frozenset[int]) -> None:
        self._automaton, self._nodes, self.tags = automaton, nodes, tags
        self._next: dict[str, State] = {}
        self._outcomes: dict[int, frozenset[int] | None] = {0: tags}

    def after(self, digit: str) -> State:
        """The state one digit on."""
        state = self._next.get(digit)
        if state is None:
            state = self._next[digit] = self._automaton.step(self._nodes, digit)
        return state

    def outcome(self, remaining: int) -> frozenset[int] | None:
        """The tags at the end whatever `remaining` digits follow, or None where that depends on the digits."""
        if remaining not in self._outcomes:
            first = self.after("0").outcome(remaining - 1)
            same = first is not None and all(self.after(digit).outcome(remaining - 1) == first for digit in _DIGITS[1:])
            self._outcomes[remaining] = first if same else None
        return self._outcomes[remaining]

    @property
    def is_dead(self) -> bool:
        """No pattern can go on from here, whatever digit follows."""
        return not self._nodes


class Automaton:
    """Patterns with a tag each. An open one matches by its first digits alone; the others have to match all digits.

    `$` is taken for nothing, so of a pattern that holds one only `is_dead` is exact.
    """

    def __init__(self, patterns: Iterable[tuple[int, str, bool]]) -> None:
        """`patterns` are (tag, pattern, open). Raises UnsupportedPattern."""
        # A node with digits takes one of them and then is at its targets; a node without is at its targets at once.
        self._digits: list[str] = []
        self._targets: list[list[int]] = []
        self._tags: dict[int, int] = {}
        self._states: dict[tuple[frozenset[int], frozenset[int]], State] = {}
        starts = []
        for tag, pattern, is_open in patterns:
            end = self.node("", [])
            self._tags[end] = tag
            if is_open:
                end = self.node("", [end])
                self.branch(end, self.node(_DIGITS, [end]))
            starts.append(_parse(pattern)(self, end))
        self.start = self._state(starts)

    def node(self, digits: str, targets: list[int]) -> int:
        """Adds a node and returns its number."""
        self._digits.append(digits)
        self._targets.append(targets)
        return len(self._digits) - 1

    def branch(self, node: int, target: int) -> None:
        """Gives a node one more target."""
        self._targets[node].append(target)

    def step(self, nodes: frozenset[int], digit: str) -> State:
        """The state that a digit leads to from these nodes."""
        return self._state([target for node in nodes if digit in self._digits[node] for target in self._targets[node]])

    def _state(self, reached: list[int]) -> State:
        seen = set(reached)
        while reached:
            node = reached.pop()
            if not self._digits[node]:
                fresh = [target for target in self._targets[node] if target not in seen]
                seen.update(fresh)
                reached += fresh
        nodes = frozenset(node for node in seen if self._digits[node])
        tags = frozenset(self._tags[node] for node in seen if node in self._tags)
        if (nodes, tags) not in self._states:
            self._states[nodes, tags] = State(self, nodes, tags)
        return self._states[nodes, tags]


class _Part(Protocol):
    """A piece of a pattern: adds nodes that lead to `end` where the piece matches, and returns the first of them."""

    def __call__(self, automaton: Automaton, end: int) -> int: ...


def _one_of(digits: str, automaton: Automaton, end: int) -> int:
    return automaton.node(digits, [end])


def _sequence(parts: list[_Part], automaton: Automaton, end: int) -> int:
    for part in reversed(parts):
        end = part(automaton, end)
    return end


def _choice(parts: list[_Part], automaton: Automaton, end: int) -> int:
    return automaton.node("", [part(automaton, end) for part in parts])


def _repeated(part: _Part, least: int, most: int, automaton: Automaton, end: int) -> int:
    for _ in range(most - least):
        end = automaton.node("", [end, part(automaton, end)])
    return _sequence([part] * least, automaton, end)


_TOKEN = re.compile(r"\\d|\[[\d-]+\]|\d|(?P<open>\((?:\?:)?(?!\?))|(?P<other>[|)$])")
_COUNT = re.compile(r"(?P<optional>\?)|\{(?P<least>\d+)(?P<range>,(?P<most>\d+))?\}")


def _parse(pattern: str) -> _Part:
    """Reads what numbering plans are written in: digits, sets, groups, alternatives, `?`, `{n}`, `{n,m}` and `$`."""
    choices: list[list[list[_Part]]] = [[[]]]
    position = 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None or (token[0] == ")" and len(choices) == 1):
            raise UnsupportedPattern(pattern)
        position = token.end()
        if token["open"]:
            choices.append([[]])
        elif token[0] == "|":
            choices[-1].append([])
        elif token[0] != "$":
            part = _closed(choices.pop()) if token[0] == ")" else partial(_one_of, _digits_of(token[0]))
            if count := _COUNT.match(pattern, position):
                position = count.end()
                part = partial(_repeated, part, *_times(count))
            choices[-1][-1].append(part)
    if len(choices) > 1:
        raise UnsupportedPattern(pattern)
    return _closed(choices.pop())


def _closed(alternatives: list[list[_Part]]) -> _Part:
    return partial(_choice, [partial(_sequence, parts) for parts in alternatives])


@cache
def _digits_of(token: str) -> str:
    return "".join(filter(re.compile(token).match, _DIGITS))


def _times(count: re.Match[str]) -> tuple[int, int]:
    if count["optional"]:
        return 0, 1
    return int(count["least"]), int(count["most"] or count["least"])
