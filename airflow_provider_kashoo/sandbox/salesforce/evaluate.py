"""Runs a parsed SOQL query over an org: names are resolved and predicates compiled once, rows only looked at."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from operator import eq, ge, gt, itemgetter, le, lt, ne
from typing import Any

from airflow_provider_kashoo.sandbox.salesforce.ids import to18
from airflow_provider_kashoo.sandbox.salesforce.org import Org, Row, SalesforceError, Table, stamp_text
from airflow_provider_kashoo.sandbox.salesforce.schema import NUMERIC, Field, SObject
from airflow_provider_kashoo.sandbox.salesforce.soql import (
    Comparison,
    Condition,
    Group,
    Literal,
    Membership,
    Not,
    Path,
    Query,
    SoqlError,
    Sort,
    decode_string,
    parse,
)

Get = Callable[[Row], Any]
Test = Callable[[Row], bool]
Project = Callable[[Row], dict[str, Any]]
MAX_OFFSET = 2000
_NEVER = "9999"
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_TYPES = {"datetime": "dateTime", "currency": "double", "percent": "double", "id": "string", "reference": "string"}
_KEYS = frozenset({"id", "reference"})
_LINK_ENDS = frozenset({"contentdocumentid", "linkedentityid"})
#: Evidenced: other clients treat this object apart because of it.
_LINKS_ONLY_OF = (
    "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or "
    "LinkedEntityId using the equals operator or multiple Id's using the IN operator."
)


@dataclass(frozen=True, slots=True)
class Result:
    """The rows that a query found, and how to show one; ``count`` when it was a ``COUNT()``."""

    rows: Sequence[Row]
    project: Project
    count: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a flat result under its full name: ``Account.Name``."""

    name: str
    get: Get
    item: Field


@dataclass(frozen=True, slots=True)
class Flat:
    """A query for a table of plain columns, checked and ready to be run at any later time."""

    sobject: str
    columns: tuple[Column, ...]
    select: Callable[[], list[Row]]


def flat(org: Org, text: str, *, deleted: bool = False) -> Flat:
    """Check a query without subqueries and return it to be run later; errors as those of :func:`run`."""
    with org.lock, _saying(text):
        return _Runner(org, "", deleted=deleted).flat(parse(text))


@contextmanager
def _saying(text: str) -> Iterator[None]:
    try:
        yield
    except SoqlError as error:
        raise SalesforceError(error.code, error.render(text)) from None
    except RecursionError:
        raise SalesforceError("MALFORMED_QUERY", "the query is too deeply nested") from None


def run(org: Org, text: str, *, base: str, deleted: bool = False) -> Result:
    """Run one SOQL query; ``base`` (``/services/data/vNN.0``) starts the record urls.

    ``deleted`` includes the recycle bin, as queryAll does. Raises :class:`SalesforceError` with the code and
    the layout of message of the real API. Days begin at midnight UTC (the time zone of the integration user).
    """
    with org.lock, _saying(text):
        return _Runner(org, base, deleted=deleted).result(parse(text))


def _hint(what: str, suffix: str, name: str) -> str:
    hint = f"If you are attempting to use a custom {what}, be sure to append the '{suffix}' after the {name} name. "
    return f"{hint}Please reference your WSDL or the describe call for the appropriate names."


def _day(text: str, pos: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SoqlError(f"Invalid date: {text}", pos) from None


def _moment(text: str, pos: int) -> str:
    try:
        return stamp_text(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError):
        raise SoqlError(f"Invalid datetime: {text}", pos) from None


def _like(raw: str) -> re.Pattern[str]:
    wild = {"%": ".*", "_": "."}
    pattern = decode_string(raw, like=True, wild=lambda c: wild.get(c) or re.escape(c))
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


def _fold(value: Any) -> Any:
    """Text compares without regard to case in SOQL."""
    return value.lower() if isinstance(value, str) else value


def _checked(get: Get) -> Get:
    """Return what reads a checkbox: never null (evidenced), nor is that of a parent that is not there (assumed)."""
    return lambda row: bool(get(row))


def _names(where: Condition | None, fields: frozenset[str]) -> bool:
    """Whether a condition holds only for given values of one of these fields."""
    if isinstance(where, Group):
        return where.op == "and" and any(_names(part, fields) for part in where.parts)
    if isinstance(where, Comparison):
        where = Membership(where.path, negated=where.op != "=", values=(where.literal,))
    if not isinstance(where, Membership) or where.negated:
        return False
    return ".".join(where.path.names).lower() in fields


class _Runner:
    def __init__(self, org: Org, base: str, *, deleted: bool) -> None:
        self.org, self.base, self.deleted = org, base, deleted

    def result(self, query: Query) -> Result:
        sobject = self._object(query)
        table = self.org.tables[sobject.name]
        if query.offset > MAX_OFFSET:
            message = f"Maximum SOQL offset allowed is {MAX_OFFSET}"
            raise SoqlError(message, query.pos, "NUMBER_OUTSIDE_VALID_RANGE")
        project = self._projection(sobject, query.fields)
        rows = self._select(table, query)
        return Result(rows, project, count=not query.fields)

    def flat(self, query: Query) -> Flat:
        sobject = self._object(query)
        columns = tuple(self._column(sobject, path) for path in query.fields if isinstance(path, Path))
        self._finder(sobject, query)

        def select() -> list[Row]:
            with self.org.lock:
                return self._select(self.org.tables[sobject.name], query)

        return Flat(sobject.name, columns, select)

    def _column(self, sobject: SObject, path: Path) -> Column:
        get, item = self._resolve(sobject, path)
        names, holder = [], sobject
        for relation in path.names[:-1]:
            link, holder = self._parent(holder, relation, path.pos)
            names.append(link.relationship)
        return Column(".".join([*names, item.name]), get, item)

    def _object(self, query: Query) -> SObject:
        found = self.org.schema.find(query.sobject)
        if found is None:
            message = f"sObject type '{query.sobject}' is not supported. {_hint('object', '__c', 'entity')}"
            raise SoqlError(message, query.pos, "INVALID_TYPE")
        if found.name == "ContentDocumentLink" and not _names(query.where, _LINK_ENDS):
            raise SoqlError(_LINKS_ONLY_OF, query.pos)
        return found

    # -- which rows

    def _select(self, table: Table, query: Query) -> list[Row]:
        find = self._finder(table.sobject, query)  # first: a wrong name is an error even where an index has no rows
        ids = self._candidates(table, query.where) if query.where else None
        if ids is None:
            return find(table.scan(*self._span(query.where)))
        return find([table.rows[key] for key in sorted(ids) if key in table.rows])

    def _span(self, where: Condition | None) -> tuple[str, str]:
        """Return stamps that no row outside of matches; the condition is still applied to the rows inside."""
        parts = where.parts if isinstance(where, Group) and where.op == "and" else (where,)
        low, high = "", _NEVER
        for part in parts:
            if not isinstance(part, Comparison) or part.literal.kind != "datetime":
                continue
            if [name.lower() for name in part.path.names] == ["systemmodstamp"]:
                moment = _moment(part.literal.text, part.literal.pos)
                low = max(low, moment) if part.op in {"=", ">", ">="} else low
                high = min(high, moment) if part.op in {"=", "<", "<="} else high
        return low, high

    def _finder(self, sobject: SObject, query: Query) -> Callable[[Iterable[Row]], list[Row]]:
        test = self._condition(sobject, query.where) if query.where else None
        sorts = [(self._sort_key(sobject, sort), sort.descending) for sort in reversed(query.order)]
        end = None if query.limit is None else min(query.offset + query.limit, sys.maxsize)
        live_only = not self.deleted and "IsDeleted" in sobject.fields

        def find(rows: Iterable[Row]) -> list[Row]:
            matching = (row for row in rows if not (live_only and row["IsDeleted"]) and (test is None or test(row)))
            found = list(matching if sorts else islice(matching, end))
            for key, descending in sorts:
                found.sort(key=key, reverse=descending)
            return found[query.offset : end]

        return find

    def _sort_key(self, sobject: SObject, sort: Sort) -> Callable[[Row], tuple[bool, Any]]:
        get, item = self._resolve(sobject, sort.path)
        if not item.filterable:
            raise SoqlError(f"field '{item.name}' can not be sorted in a query call", sort.path.pos, "INVALID_FIELD")
        null_rank = sort.nulls_last != sort.descending  # reverse=True turns the rank around as well
        exact = item.type in _KEYS

        def key(row: Row) -> tuple[bool, Any]:
            value = get(row)
            return (null_rank, 0) if value is None else (not null_rank, value if exact else _fold(value))

        return key

    def _candidates(self, table: Table, where: Condition) -> set[str] | None:
        """Return ids among which all matches are, when an index can tell; the condition is still applied to them."""
        if isinstance(where, Group) and where.op == "and":
            found = [ids for part in where.parts if (ids := self._candidates(table, part)) is not None]
            return min(found, key=len) if found else None
        if isinstance(where, Comparison) and where.op == "=":
            where = Membership(where.path, negated=False, values=(where.literal,))
        if not isinstance(where, Membership) or where.negated or isinstance(where.values, Query):
            return None
        item = table.sobject.lower.get(".".join(where.path.names).lower())
        if item is None or item.type not in _KEYS or any(not v.text or v.kind != "string" for v in where.values):
            return None
        keys = {to18(value.text) or "" for value in where.values}
        if item.type == "id":
            return keys
        index = table.refs.get(item.name)
        return None if index is None else {child for key in keys for child in index.get(key, ())}

    # -- conditions

    def _condition(self, sobject: SObject, where: Condition) -> Test:
        if isinstance(where, Group):
            tests = [self._condition(sobject, part) for part in where.parts]
            return (lambda r: all(t(r) for t in tests)) if where.op == "and" else (lambda r: any(t(r) for t in tests))
        if isinstance(where, Not):
            inner = self._condition(sobject, where.part)
            return lambda row: not inner(row)
        get, item = self._resolve(sobject, where.path)
        if not item.filterable:
            message = f"field '{item.name}' can not be filtered in a query call"
            raise SoqlError(message, where.path.pos, "INVALID_FIELD")
        if item.type == "boolean":
            get = _checked(get)
        if isinstance(where, Membership):
            return self._membership(where, get, item)
        return self._comparison(where, get, item)

    def _membership(self, where: Membership, get: Get, item: Field) -> Test:
        if isinstance(where.values, Query):
            wanted = self._semi_join(where.values, item, where.path.pos)
        else:
            if any(value.kind == "range" for value in where.values):
                raise SoqlError("date literals are not allowed in a list", where.path.pos)
            wanted = {self._value(literal, item) for literal in where.values}
        negated = where.negated
        if item.type in _KEYS:
            return lambda row: (get(row) in wanted) != negated
        folded = {_fold(value) for value in wanted}
        return lambda row: (_fold(get(row)) in folded) != negated

    def _semi_join(self, query: Query, outer: Field, pos: int) -> set[Any]:
        sobject = self._object(query)
        path = query.fields[0]
        if isinstance(path, Query) or len(path.names) != 1:
            raise SoqlError("a semi-join sub-select takes one field of its own object", query.pos)
        get, item = self._resolve(sobject, path)
        if outer.type not in _KEYS or item.type not in _KEYS:
            message = "The left operand and the selected field of a semi-join must be ID or reference fields"
            raise SoqlError(message, pos)
        wanted = {get(row) for row in self._select(self.org.tables[sobject.name], query)}
        wanted.discard(None)
        return wanted

    def _comparison(self, where: Comparison, get: Get, item: Field) -> Test:
        literal, op = where.literal, where.op
        if op == "like":
            return self._like_test(where, get, item)
        if literal.kind == "null" and item.type != "boolean":
            return (lambda r: get(r) is None) if op == "=" else (lambda r: get(r) is not None)
        if item.type == "boolean" and op not in {"=", "!="}:
            raise SoqlError("invalid operator on boolean field", where.path.pos, "INVALID_FIELD")
        if literal.kind == "range":
            return self._range_test(where, get, item)
        wanted, compare = self._value(literal, item), _OPERATORS[op]
        if isinstance(wanted, str) and item.type not in _KEYS | {"date", "datetime"}:
            wanted, exact = wanted.lower(), get

            def get(row: Row) -> Any:
                return _fold(exact(row))

        if op in {"=", "!="}:
            return lambda row: compare(get(row), wanted)
        return lambda row: (value := get(row)) is not None and wanted is not None and compare(value, wanted)

    def _like_test(self, where: Comparison, get: Get, item: Field) -> Test:
        if item.type in _KEYS | NUMERIC | {"boolean", "date", "datetime"}:
            raise SoqlError(f"invalid operator on {item.type} field", where.path.pos, "INVALID_FIELD")
        self._value(where.literal, item)
        match = _like(where.literal.raw).fullmatch
        return lambda row: (value := get(row)) is not None and match(value) is not None

    def _range_test(self, where: Comparison, get: Get, item: Field) -> Test:
        # A date literal stands for a span of days: its start and its end answer the six operators.
        if item.type not in {"date", "datetime"}:
            self._refuse(where.literal, item)
        today, name = self.org.clock.now().date(), where.literal.text
        try:
            first = today - timedelta(days=int(name.partition(":")[2] or (name == "YESTERDAY")))
        except OverflowError:
            raise SoqlError(f"Invalid date literal: {name}", where.literal.pos) from None
        after = today if name == "YESTERDAY" else today + timedelta(days=1)
        tail = "T00:00:00.000+0000" if item.type == "datetime" else ""
        low, high = f"{first}{tail}", f"{after}{tail}"
        tests: dict[str, Callable[[str], bool]] = {
            "=": lambda v: low <= v < high,
            "<": lambda v: v < low,
            "<=": lambda v: v < high,
            ">": lambda v: v >= high,
            ">=": lambda v: v >= low,
        }
        if where.op == "!=":
            return lambda row: (value := get(row)) is None or not low <= value < high
        test = tests[where.op]
        return lambda row: (value := get(row)) is not None and test(value)

    def _value(self, literal: Literal, item: Field) -> Any:
        """Return the literal as rows hold such a value; raises when it does not fit the field's type."""
        kind, text = literal.kind, literal.text
        if kind == "null":
            return False if item.type == "boolean" else None
        if item.type in _KEYS and kind == "string":
            id18 = to18(text)
            if id18 is None and text:
                raise SoqlError(f"invalid ID field: {text}", literal.pos, "INVALID_QUERY_FILTER_OPERATOR")
            return id18
        if item.type in {"date", "datetime"} and kind == item.type:
            return str(_day(text, literal.pos)) if kind == "date" else _moment(text, literal.pos)
        if item.type in NUMERIC and kind == "number":
            return Decimal(text)
        if item.type == "boolean" and kind == "boolean":
            return text == "true"
        if item.type in NUMERIC | _KEYS | {"date", "datetime", "boolean"} or kind != "string":
            self._refuse(literal, item)
        return text or None  # the empty string is null in Salesforce

    def _refuse(self, literal: Literal, item: Field) -> None:
        name = _TYPES.get(item.type, item.type)
        quoted = item.type not in NUMERIC | {"date", "datetime", "boolean"}
        wording = "should be enclosed in quotes" if quoted else "should not be enclosed in quotes"
        message = f"value of filter criterion for field '{item.name}' must be of type "
        raise SoqlError(f"{message}{'string' if quoted else name} and {wording}", literal.pos, "INVALID_FIELD")

    # -- names

    def _resolve(self, sobject: SObject, path: Path) -> tuple[Get, Field]:
        *relations, last = path.names
        if not relations:
            item = self._field(sobject, last, path.pos)
            return self.org.reader(sobject, item), item
        link, parent = self._parent(sobject, relations[0], path.pos)
        rows, key = self.org.tables[parent.name].rows, link.name
        inner, item = self._resolve(parent, replace(path, names=path.names[1:]))

        def get(row: Row) -> Any:
            above = rows.get(row[key])
            return None if above is None else inner(above)

        return get, item

    def _field(self, sobject: SObject, name: str, pos: int) -> Field:
        item = sobject.lower.get(name.lower())
        if item is None:
            message = f"No such column '{name}' on entity '{sobject.name}'. {_hint('field', '__c', 'custom field')}"
            raise SoqlError(message, pos, "INVALID_FIELD")
        return item

    def _parent(self, sobject: SObject, relation: str, pos: int) -> tuple[Field, SObject]:
        link = sobject.parents.get(relation.lower())
        if link is None or not self.org.schema.visible(link.to):
            hint = _hint("relationship", "__r", "custom relationship")
            raise SoqlError(f"Didn't understand relationship '{relation}' in field path. {hint}", pos, "INVALID_FIELD")
        return link, self.org.schema.objects[link.to]

    # -- what is shown

    def _projection(self, sobject: SObject, fields: Sequence[Path | Query]) -> Project:
        shown: dict[str, Get] = {}
        nested: dict[str, list[Path]] = {}
        for part in fields:
            if isinstance(part, Query):
                name, value = self._child(sobject, part)
            elif len(part.names) > 1:
                link, _ = self._parent(sobject, part.names[0], part.pos)
                nested.setdefault(link.relationship, []).append(replace(part, names=part.names[1:]))
                shown.setdefault(link.relationship, itemgetter("Id"))  # keeps the place; replaced below
                continue
            else:
                item = self._field(sobject, part.names[0], part.pos)
                name, value = item.name, self._reader(sobject, item)
            if name in shown:
                raise SoqlError(f"duplicate field selected: {name}", getattr(part, "pos", 0), "INVALID_FIELD")
            shown[name] = value
        for relation, paths in nested.items():
            shown[relation] = self._above(*self._parent(sobject, relation, paths[0].pos), paths)
        kind, url = sobject.name, f"{self.base}/sobjects/{sobject.name}/"
        items = list(shown.items())

        def project(row: Row) -> dict[str, Any]:
            out: dict[str, Any] = {"attributes": {"type": kind, "url": url + row["Id"]}}
            for name, get in items:
                out[name] = get(row)
            return out

        return project

    def _reader(self, sobject: SObject, item: Field) -> Get:
        """Return what shows a field; of a file, where its bytes are (evidenced)."""
        if item.type == "base64":
            return lambda row: f"{self.base}/sobjects/{sobject.name}/{row['Id']}/{item.name}"
        return self.org.reader(sobject, item)

    def _above(self, link: Field, parent: SObject, paths: list[Path]) -> Get:
        project, rows = self._projection(parent, paths), self.org.tables[parent.name].rows

        def get(row: Row) -> Any:
            above = rows.get(row[link.name])
            return None if above is None else project(above)

        return get

    def _child(self, sobject: SObject, query: Query) -> tuple[str, Get]:
        child = next((c for c in sobject.children if c.name.lower() == query.sobject.lower()), None)
        if child is None or not self.org.schema.visible(child.sobject):
            message = f"Didn't understand relationship '{query.sobject}' in FROM part of query call. "
            message += _hint("relationship", "__r", "custom relationship")
            raise SoqlError(message, query.pos, "INVALID_TYPE")
        table = self.org.tables[child.sobject]
        project = self._projection(table.sobject, query.fields)
        find, index, rows = self._finder(table.sobject, query), table.refs[child.field], table.rows

        def get(row: Row) -> Any:
            found = find(rows[key] for key in sorted(index.get(row["Id"], ())))
            return {"totalSize": len(found), "done": True, "records": [project(r) for r in found]} if found else None

        return child.name, get
