"""What keeps workspaces apart: no statement leaves for the database that could touch a row of more than one.

Every statement on a connection of `Database.read()` and `write()` is read before it is executed. Each table in it that
holds rows of workspaces, in subqueries too, must be held to one workspace: by its `workspace_id`, by the id of a thing
that is the workspace's own, or by a join to a table that is held so. Ids are looked up once in a transaction, so that
one taken from a button of another workspace ends in CrossWorkspace, whatever the service forgot to check.

A statement is read once for each form it has; SQLAlchemy keeps its compiled form, and we what was read with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    CTE,
    Alias,
    BindParameter,
    Column,
    Connection,
    Engine,
    Join,
    Select,
    Subquery,
    Table,
    event,
    select,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.dml import Insert, UpdateBase
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ClauseElement, Grouping, Label
from sqlalchemy.sql.selectable import (
    CompoundSelect,
    FromClause,
    FromGrouping,
    ScalarSelect,
    SelectBase,
    SelectStatementGrouping,
)

from services.models import (
    application,
    customer_group,
    metadata,
    number_import,
    send_task,
    signature,
    template,
    workspace,
)

_SCOPE = "sms_workspace"
_IDS_AT_ONCE = 5_000

# What a column of this name holds the id of; `id` holds that of its own table. Rows refer to rows of their own
# workspace only, so that any of these says whose a row is.
HOLDS: Mapping[str, Table] = {
    "workspace_id": workspace,
    "application_id": application,
    "signature_id": signature,
    "template_id": template,
    "group_id": customer_group,
    "import_id": number_import,
    "task_id": send_task,
    "resend_of": send_task,
}
# Tables that hold nothing of a workspace's.
SHARED = frozenset({"lease"})


class CrossWorkspace(Exception):
    """A mistake in the program: a statement that could touch another workspace's rows. Nothing was executed."""


@dataclass(slots=True)
class Scope:
    """The one workspace of a connection; where it was not told, the first statement that names one decides."""

    workspace_id: str | None
    own: dict[str, set[Any]] = field(default_factory=dict)


def of_one_workspace(connection: Connection, workspace_id: str | None) -> Connection:
    """The connection, from now on held to one workspace."""
    return connection.execution_options(**{_SCOPE: Scope(workspace_id)})


def stand_guard(engine: Engine) -> None:
    """Read what is executed on this engine; connections that nobody held to a workspace are let be."""
    known: WeakKeyDictionary[Any, _Plan] = WeakKeyDictionary()

    @event.listens_for(engine, "before_cursor_execute")
    def check(
        connection: Connection, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        scope = context.execution_options.get(_SCOPE)
        compiled = context.compiled
        # What is written as text stands in services/bulk.py alone, as a test holds.
        if scope is None or compiled is None:
            return
        plan = known.get(compiled)
        if plan is None:
            plan = known[compiled] = _read(compiled)
        for parameters in context.compiled_parameters:
            _check(connection, scope, plan, _Given(parameters, context._expanded_parameters))


@dataclass(frozen=True, slots=True)
class _Plan:
    """The parameters that hold a statement to its workspace: names of those with the workspace's id, and of others."""

    workspaces: Sequence[str]
    ids: Sequence[tuple[Table, str]]


@dataclass(frozen=True, slots=True)
class _Given:
    """What a statement is executed with. SQLAlchemy has made a parameter of each value of a list."""

    parameters: Mapping[str, Any]
    lists: Mapping[str, Sequence[str]]

    def values(self, name: str) -> Sequence[Any]:
        """Without NULL, which no row's id equals."""
        names = (name,) if name in self.parameters else self.lists[name]
        return [value for each in names if (value := self.parameters[each]) is not None]


def _check(connection: Connection, scope: Scope, plan: _Plan, given: _Given) -> None:
    for name in plan.workspaces:
        for value in given.values(name):
            if scope.workspace_id is None:
                scope.workspace_id = value
            if value != scope.workspace_id:
                raise CrossWorkspace(f"{value} on a connection of {scope.workspace_id}")
    for table, name in plan.ids:
        if scope.workspace_id is None:
            raise CrossWorkspace(f"an id of {table.name}, and nothing has named the workspace")
        own = scope.own.setdefault(table.name, set())
        unknown = [value for value in given.values(name) if value not in own]
        for start in range(0, len(unknown), _IDS_AT_ONCE):
            _look_up(connection, scope.workspace_id, table, unknown[start : start + _IDS_AT_ONCE], own)


def _look_up(connection: Connection, workspace_id: str, table: Table, ids: Sequence[Any], own: set[Any]) -> None:
    owner: Any = table
    query = select(table.c.id).where(table.c.id.in_(ids))
    if "workspace_id" not in table.c:
        owner = application
        query = query.join(application, application.c.id == table.c.application_id)
    query = query.where(owner.c.workspace_id == workspace_id)
    own.update(connection.execute(query, execution_options={_SCOPE: None}).scalars())
    if not own.issuperset(ids):
        raise CrossWorkspace(f"an id of {table.name} that is not {workspace_id}'s")


def _read(compiled: Any) -> _Plan:
    """Raises CrossWorkspace where the statement is not held to a workspace."""
    reader = _Reader()
    statement = compiled.statement
    if getattr(statement, "_independent_ctes", ()):
        raise CrossWorkspace("a WITH that no FROM names")
    if isinstance(statement, Insert):
        reader.insert(statement, compiled.binds)
    elif isinstance(statement, UpdateBase):
        reader.change(statement, compiled.binds)
    elif isinstance(statement, SelectBase):
        reader.select(statement, _NOTHING, within_from=True)
    else:
        raise CrossWorkspace(f"{type(statement).__name__} is nothing that can be held to a workspace")
    needs = [*reader.named, *((kind, compiled.bind_names[bind]) for kind, bind in reader.needs)]
    return _Plan(
        [name for kind, name in needs if kind is workspace], [each for each in needs if each[0] is not workspace]
    )


@dataclass(frozen=True, slots=True)
class _Around:
    """The statement around a subquery: its tables, those of all around it, and which of them are held."""

    nearest: frozenset[FromClause]
    every: frozenset[FromClause]
    held: frozenset[FromClause]


_NOTHING = _Around(frozenset(), frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class _Fact:
    """A condition that every row fulfils: `left` equals `right`, or is in it. It tells only of the tables in `only`."""

    left: Any
    right: Any
    is_in: bool
    only: frozenset[FromClause] | None


class _Reader:
    """Reads one statement; `needs` and `named` gather the parameters to be looked at each time it is executed."""

    def __init__(self) -> None:
        self.needs: list[tuple[Table, BindParameter[Any]]] = []
        self.named: list[tuple[Table, str]] = []
        self._derived: set[int] = set()

    def select(self, statement: SelectBase, around: _Around, *, within_from: bool = False) -> None:
        """Raises CrossWorkspace."""
        if isinstance(statement, SelectStatementGrouping):
            self.select(_bare(statement), around, within_from=within_from)
            return
        if isinstance(statement, CompoundSelect):
            for part in statement.selects:
                self.select(_bare(part), around, within_from=within_from)
            return
        if not isinstance(statement, Select):
            raise CrossWorkspace(f"{type(statement).__name__} is nothing that can be held to a workspace")
        froms = statement.get_final_froms()
        correlated = _correlated(statement, froms, around, within_from=within_from)
        here = [each for each in froms if each not in correlated]
        facts = [_Fact(*each, None) for each in _conditions(statement.whereclause)]
        for each in here:
            facts += _join_facts(each)
        self._hold(here, facts, around)
        clauses = [each for each in statement.get_children() if not isinstance(each, FromClause)]
        self._go_down(here, [*clauses, *(clause for each in here for clause in _on_clauses(each))], around)

    def change(self, statement: Any, binds: Mapping[str, Any]) -> None:
        """An UPDATE or DELETE. Raises CrossWorkspace."""
        table = statement.table
        facts = [_Fact(*each, None) for each in _conditions(statement.whereclause)]
        others = set() if statement.whereclause is None else set(statement.whereclause._from_objects)
        self._hold([table, *(others - {table})], facts, _NOTHING)
        for key, value in (getattr(statement, "_values", None) or {}).items():
            column = table.c[key] if isinstance(key, str) else key
            if (kind := _held_by(column)) is not None:
                self._set(kind, column, value, binds)
        self._go_down(
            [table], [each for each in statement.get_children() if not isinstance(each, FromClause)], _NOTHING
        )

    def insert(self, statement: Any, binds: Mapping[str, Any]) -> None:
        """Raises CrossWorkspace."""
        table = statement.table
        holders = {column.key: column for column in table.columns if column.name in HOLDS}
        if statement.select is not None:
            self.select(statement.select, _NOTHING, within_from=True)
            given = zip(statement._select_names, _bare(statement.select).selected_columns, strict=True)
            for name, value in given:
                if name in holders:
                    self._set(HOLDS[holders[name].name], holders[name], value, {})
            return
        if statement._multi_values:
            raise CrossWorkspace("several rows in one statement")
        values = {getattr(key, "key", key): value for key, value in (statement._values or {}).items()}
        for key, column in holders.items():
            if key in binds or key in values:
                self._set(HOLDS[column.name], column, values.get(key), binds)

    def _set(self, kind: Table, column: Any, value: Any, binds: Mapping[str, Any]) -> None:
        """A value that is written to a column which says whose its row is."""
        value = value.element if isinstance(value, (Label, Grouping)) else value
        if column.key in binds:
            self.named.append((kind, column.key))
        elif isinstance(value, BindParameter) and value.key in binds:
            self.named.append((kind, value.key))
        elif isinstance(value, BindParameter):
            self.needs.append((kind, value))
        elif _column(value)[1] is not kind:
            raise CrossWorkspace(f"{column} is set to what nobody can tell the workspace of")

    def _hold(self, froms: Sequence[FromClause], facts: Sequence[_Fact], around: _Around) -> None:
        """See that every table is held; the parameters that do it are noted."""
        leaves = [leaf for each in froms for leaf in _leaves(each)]
        held = {leaf for leaf in leaves if _is_derived(leaf) or _table(leaf).name in SHARED}
        sided = [side for fact in facts for side in _sides(fact)]
        # A workspace's own id goes first, and what follows from it; only then need other ids be looked up.
        self._by_parameter(sided, held, leaves, is_workspace=True)
        while True:
            if self._by_others(sided, held, leaves, around):
                continue
            if not self._by_parameter(sided, held, leaves, is_workspace=False):
                break
        if loose := [_table(leaf).name for leaf in leaves if leaf not in held]:
            raise CrossWorkspace(f"nothing holds {', '.join(loose)} to one workspace")

    def _by_parameter(
        self, sided: Iterable[_Fact], held: set[FromClause], leaves: Sequence[FromClause], *, is_workspace: bool
    ) -> bool:
        for fact in sided:
            leaf, kind = _column(fact.left)
            if kind is None or not _may_hold(leaf, fact, held, leaves) or (kind is workspace) is not is_workspace:
                continue
            if isinstance(fact.right, BindParameter):
                held.add(leaf)
                self.needs.append((kind, fact.right))
                if not is_workspace:
                    return True
        return False

    def _by_others(
        self, sided: Iterable[_Fact], held: set[FromClause], leaves: Sequence[FromClause], around: _Around
    ) -> bool:
        for fact in sided:
            leaf, kind = _column(fact.left)
            if kind is None or not _may_hold(leaf, fact, held, leaves):
                continue
            other, other_kind = _column(fact.right)
            if other_kind is kind and (other in held or other in around.held):
                held.add(leaf)
                return True
            if self._is_list_of(kind, fact.right):
                held.add(leaf)
                return True
        return False

    def _is_list_of(self, kind: Table, clause: Any) -> bool:
        """Whether it is a subquery that is held by itself and gives ids of this kind."""
        found = _subquery(clause)
        if found is None:
            return False
        columns = [*found.selected_columns]
        if len(columns) != 1 or _column(columns[0], whole=True)[1] is not kind:
            return False
        try:
            _Reader().select(found, _NOTHING, within_from=True)
        except CrossWorkspace:
            return False
        return True

    def _go_down(self, froms: Sequence[FromClause], clauses: Iterable[Any], around: _Around) -> None:
        leaves = frozenset(leaf for each in froms for leaf in _leaves(each))
        inside = _Around(leaves, around.every | leaves, around.held | leaves)
        for leaf in leaves:
            if _is_derived(leaf) and id(leaf) not in self._derived:
                self._derived.add(id(leaf))
                self.select(_element(leaf), _NOTHING, within_from=True)
        for clause in clauses:
            for nested in _nested(clause):
                self.select(nested, inside)


def _may_hold(leaf: Any, fact: _Fact, held: set[FromClause], leaves: Sequence[FromClause]) -> bool:
    return leaf in leaves and leaf not in held and (fact.only is None or leaf in fact.only)


def _sides(fact: _Fact) -> Iterator[_Fact]:
    yield fact
    if not fact.is_in:
        yield _Fact(fact.right, fact.left, is_in=False, only=fact.only)


def _held_by(column: Any) -> Table | None:
    """What a column of a table holds the id of; None for an ordinary one."""
    if not isinstance(column, Column) or not isinstance(column.table, Table) or column.table.metadata is not metadata:
        return None
    return column.table if column.name == "id" else HOLDS.get(column.name)


def _column(clause: Any, *, whole: bool = False) -> tuple[Any, Table | None]:
    """The table (or alias, or subquery) that a column is of, and what it holds the id of."""
    if isinstance(clause, Label) and whole:
        clause = clause.element
    leaf = getattr(clause, "table", None)
    if leaf is None:
        return None, None
    kinds = {_held_by(each) for each in clause.base_columns}
    return leaf, kinds.pop() if len(kinds) == 1 else None


def _conditions(clause: Any) -> Iterator[tuple[Any, Any, bool]]:
    """What must hold for every row: equalities, and being in a list, that are joined by AND."""
    if isinstance(clause, Grouping):
        yield from _conditions(clause.element)
    elif isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for each in clause.clauses:
            yield from _conditions(each)
    elif isinstance(clause, BinaryExpression) and clause.operator in (operators.eq, operators.in_op):
        yield clause.left, clause.right, clause.operator is operators.in_op


def _join_facts(from_: Any) -> Iterator[_Fact]:
    """What joins tell. That of an outer one tells nothing of its left side, whose every row stays."""
    if isinstance(from_, FromGrouping):
        yield from _join_facts(from_.element)
    if not isinstance(from_, Join):
        return
    yield from _join_facts(from_.left)
    yield from _join_facts(from_.right)
    only = None
    if from_.isouter or from_.full:
        only = frozenset[FromClause]() if from_.full else frozenset(_leaves(from_.right))
    for each in _conditions(from_.onclause):
        yield _Fact(*each, only)


def _on_clauses(from_: Any) -> Iterator[Any]:
    if isinstance(from_, FromGrouping):
        yield from _on_clauses(from_.element)
    if isinstance(from_, Join):
        yield from _on_clauses(from_.left)
        yield from _on_clauses(from_.right)
        yield from_.onclause


def _correlated(statement: Any, froms: Sequence[FromClause], around: _Around, *, within_from: bool) -> set[FromClause]:
    """Those of its tables that are really the surrounding statement's, as SQLAlchemy decides it."""
    if within_from:
        return set()
    found = {each for each in froms if each in around.every and each in (statement._correlate or ())}
    if statement._auto_correlate and len(froms) > 1:
        found |= {each for each in froms if each in around.nearest}
    return found


def _leaves(from_: Any) -> Iterator[FromClause]:
    if isinstance(from_, FromGrouping):
        yield from _leaves(from_.element)
    elif isinstance(from_, Join):
        yield from _leaves(from_.left)
        yield from _leaves(from_.right)
    else:
        yield from_


def _is_derived(leaf: FromClause) -> bool:
    return isinstance(leaf, (Subquery, CTE))


def _element(leaf: Any) -> SelectBase:
    element: SelectBase = leaf.element
    return element


def _table(leaf: Any) -> Table:
    found = leaf.element if type(leaf) is Alias else leaf
    if not isinstance(found, Table) or found.metadata is not metadata:
        raise CrossWorkspace(f"{type(leaf).__name__} is nothing that can be held to a workspace")
    return found


def _bare(statement: Any) -> Any:
    while isinstance(statement, SelectStatementGrouping):
        statement = statement.element
    return statement


def _subquery(clause: Any) -> Any:
    """The statement in a subquery that is compared with; None where it is none."""
    if isinstance(clause, (ScalarSelect, Grouping)):
        clause = clause.element
    clause = _bare(clause)
    return clause if isinstance(clause, SelectBase) else None


def _nested(clause: ClauseElement) -> Iterator[SelectBase]:
    """The statements inside a clause, but not those inside these."""
    if isinstance(clause, SelectBase):
        yield clause
    elif not isinstance(clause, FromClause):
        for child in clause.get_children():
            yield from _nested(child)
