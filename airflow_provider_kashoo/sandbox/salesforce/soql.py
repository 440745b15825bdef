"""A strict parser of the SOQL that the sandbox speaks: text in, a small tree out, nothing evaluated.

``SELECT COUNT() | paths and one level of child subqueries FROM object [WHERE] [ORDER BY] [LIMIT] [OFFSET]``.
Whatever else SOQL knows (aggregates, GROUP BY, TYPEOF, FIELDS(), aliases, scopes) is MALFORMED_QUERY here; the message
says so where that is easily told from a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    |(?P<date>\d{4}-\d\d-\d\d)
    |(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))(?![\w.])
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<range>(?i:LAST_N_DAYS:\d+|(?:TODAY|YESTERDAY)\b))
    |(?P<name>[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*)
    |(?P<op><=|>=|!=|<>|[=<>(),])""",
    re.VERBOSE | re.DOTALL,
)
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_NOT_SIMULATED = re.compile(
    r"\b(?:group\s+by|having|typeof|using\s+scope|all\s+rows|for\s+(?:view|reference|update)|(?:in|ex)cludes"
    r"|(?:this|last|next)_\w+|(?:count|count_distinct|sum|avg|min|max|fields|format|tolabel|convertcurrency)\((?=\w))",
    re.IGNORECASE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_RESERVED = frozenset(
    "and asc desc false for from group having in like limit not null nulls offset or order select true where".split()
)
_COMPARISONS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})


class SoqlError(Exception):
    """MALFORMED_QUERY, or INVALID_FIELD and the like when ``code`` says so; ``pos`` is an offset into the query."""

    def __init__(self, message: str, pos: int, code: str = "MALFORMED_QUERY") -> None:
        super().__init__(message)
        self.message, self.pos, self.code = message, pos, code

    def render(self, query: str) -> str:
        """Return the message as Salesforce lays it out: the query around the place, a caret, row and column."""
        start = max(0, self.pos - 40)
        excerpt = query[start : self.pos + 40].replace("\n", " ")
        row = query.count("\n", 0, self.pos) + 1
        column = self.pos - (query.rfind("\n", 0, self.pos) + 1) + 1
        caret = " " * (self.pos - start) + "^"
        return f"\n{excerpt}\n{caret}\nERROR at Row:{row}:Column:{column}\n{self.message}"


@dataclass(frozen=True, slots=True)
class Path:
    """A field, after the relationships that lead to it: ``("Account", "Owner", "Name")``."""

    names: tuple[str, ...]
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """``kind``: string, number, date, datetime, boolean, null, or range (TODAY and its like).

    ``text`` is decoded for strings and as written otherwise; ``raw`` keeps a string's escapes, which LIKE needs.
    """

    kind: str
    text: str
    raw: str = ""
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``path op literal``; ``op`` is one of = != < <= > >= like."""

    path: Path
    op: str
    literal: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """``path [NOT] IN`` a literal list or a subselect of one field."""

    path: Path
    negated: bool
    values: tuple[Literal, ...] | Query


@dataclass(frozen=True, slots=True)
class Group:
    """All (``and``) or any (``or``) of the conditions; SOQL does not mix the two without parentheses."""

    op: str
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    part: Condition


Condition = Comparison | Membership | Group | Not


@dataclass(frozen=True, slots=True)
class Sort:
    """One ORDER BY term; nulls come first unless told otherwise, in both directions (evidenced)."""

    path: Path
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query; ``fields`` is empty for ``COUNT()``."""

    fields: tuple[Path | Query, ...]
    sobject: str
    where: Condition | None = None
    order: tuple[Sort, ...] = ()
    limit: int | None = None
    offset: int = 0
    pos: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    pos: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind in {"name", "op"} else ""


def _tokens(text: str) -> Iterator[_Token]:
    pos = 0
    while pos < len(text):
        match = _TOKEN.match(text, pos)
        if match is None or match.lastgroup is None:
            raise SoqlError(f"unexpected token: '{text[pos]}'", pos)
        if match.lastgroup != "space":
            yield _Token(match.lastgroup, match.group(), pos)
        pos = match.end()
    yield _Token("end", "<EOF>", pos)


def decode_string(raw: str, *, like: bool = False, wild: Callable[[str], str] | None = None) -> str:
    r"""Return ``raw`` with its escapes resolved; ``\_`` and ``\%`` are legal in LIKE only.

    ``wild`` is given each unescaped ``%`` or ``_`` as ``"%"``/``"_"`` and any other text literally, for building
    a pattern. Raises ``ValueError`` naming the illegal sequence.
    """
    out: list[str] = []
    rest = iter(raw)
    for char in rest:
        if char != "\\":
            out.append(wild(char) if wild else char)
            continue
        escape = next(rest)
        if escape == "u":
            code = "".join(next(rest, "") for _ in range(4))
            if not re.fullmatch(r"[0-9A-Fa-f]{4}", code):
                raise ValueError(f"\\u{code}")
            plain = chr(int(code, 16))
        elif escape in _ESCAPES:
            plain = _ESCAPES[escape]
        elif like and escape in "_%":
            plain = escape
        else:
            raise ValueError(f"\\{escape}")
        out.append(re.escape(plain) if wild else plain)
    return "".join(out)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _fail(self, token: _Token | None = None) -> NoReturn:
        token = token or self._next
        if token.kind == "end":
            raise SoqlError("unexpected token: <EOF>", token.pos)
        raise SoqlError(f"unexpected token: '{token.text}'", token.pos)

    def _take(self) -> _Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _accept(self, *words: str) -> bool:
        """Take all of ``words`` when they come next, else nothing."""
        ahead = self._tokens[self._at : self._at + len(words)]
        if tuple(token.word for token in ahead) != words:
            return False
        self._at += len(words)
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            self._fail()

    def _name(self) -> _Token:
        token = self._take()
        if token.kind != "name" or token.word in _RESERVED:
            self._fail(token)
        return token

    def _path(self) -> Path:
        token = self._name()
        return Path(tuple(token.text.split(".")), token.pos)

    def parse(self) -> Query:
        query = self._query(depth=0)
        if self._next.kind != "end":
            self._fail()
        return query

    def _query(self, depth: int) -> Query:
        self._expect("select")
        fields: list[Path | Query] = []
        if depth or not self._accept("count", "(", ")"):
            fields.append(self._selected(depth))
            while self._accept(","):
                fields.append(self._selected(depth))
        self._expect("from")
        target = self._take()  # not _name(): Order is an object as well as a keyword
        if target.kind != "name" or "." in target.text:
            self._fail(target)
        where = self._condition() if self._accept("where") else None
        order = self._order(counting=not fields)
        limit = self._integer() if self._accept("limit") else None
        offset = self._integer() if self._accept("offset") else 0
        return Query(tuple(fields), target.text, where, order, limit, offset, target.pos)

    def _selected(self, depth: int) -> Path | Query:
        if depth == 0 and self._accept("("):
            inner = self._query(depth=1)
            self._expect(")")
            return inner
        path = self._path()
        if self._next.word == "(":
            self._fail()
        return path

    def _order(self, *, counting: bool) -> tuple[Sort, ...]:
        if counting or not self._accept("order", "by"):
            return ()
        terms = [self._sort()]
        while self._accept(","):
            terms.append(self._sort())
        return tuple(terms)

    def _sort(self) -> Sort:
        path = self._path()
        descending = self._accept("desc")
        if not descending:
            self._accept("asc")
        nulls_last = self._accept("nulls", "last")
        if not nulls_last:
            self._accept("nulls", "first")
        return Sort(path, descending, nulls_last)

    def _integer(self) -> int:
        token = self._take()
        if token.kind != "number" or not token.text.isdigit():
            self._fail(token)
        return int(token.text)

    def _condition(self) -> Condition:
        parts = [self._term()]
        op = self._next.word
        if op not in {"and", "or"}:
            return parts[0]
        while self._accept(op):
            parts.append(self._term())
        if self._next.word in {"and", "or"}:
            self._fail()
        return Group(op, tuple(parts))

    def _term(self) -> Condition:
        if self._accept("not"):
            return Not(self._term())
        if self._accept("("):
            inner = self._condition()
            self._expect(")")
            return inner
        path = self._path()
        if self._accept("not", "in"):
            return Membership(path, negated=True, values=self._values())
        if self._accept("in"):
            return Membership(path, negated=False, values=self._values())
        operator = self._take()
        if operator.word == "like":
            return Comparison(path, "like", self._literal(like=True))
        if operator.word not in _COMPARISONS:
            self._fail(operator)
        op = "!=" if operator.word == "<>" else operator.word
        if self._next.word == "null" and op not in {"=", "!="}:
            self._fail()
        return Comparison(path, op, self._literal())

    def _values(self) -> tuple[Literal, ...] | Query:
        self._expect("(")
        if self._next.word == "select":
            query = self._query(depth=1)
            if len(query.fields) != 1 or query.order or query.limit is not None or query.offset:
                raise SoqlError("a semi-join sub-select takes one field and a WHERE clause only", query.pos)
            self._expect(")")
            return query
        values = [self._literal()]
        while self._accept(","):
            values.append(self._literal())
        self._expect(")")
        return tuple(values)

    def _literal(self, *, like: bool = False) -> Literal:
        token = self._take()
        if token.kind == "string":
            raw = token.text[1:-1]
            try:
                return Literal("string", decode_string(raw, like=like), raw, token.pos)
            except ValueError as error:
                message = f"Invalid string literal '{raw}'. Illegal character sequence '{error}' in string literal."
                raise SoqlError(message, token.pos) from None
        if token.word in {"true", "false"}:
            return Literal("boolean", token.word, pos=token.pos)
        if token.word == "null":
            return Literal("null", "null", pos=token.pos)
        if token.kind not in {"number", "date", "datetime", "range"}:
            self._fail(token)
        return Literal(token.kind, token.text.upper() if token.kind == "range" else token.text, pos=token.pos)


def parse(text: str) -> Query:
    """Return the tree of one SOQL query; raises :class:`SoqlError` (MALFORMED_QUERY)."""
    try:
        return _Parser(text).parse()
    except SoqlError as error:
        if known := _NOT_SIMULATED.search(_STRING.sub("''", text)):
            raise SoqlError(f"{error.message} ({known[0]} is not simulated here)", error.pos, error.code) from None
        raise
