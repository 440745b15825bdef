"""Tables of any size in next to no memory: rows are computed from their number, and only those written are kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from airflow_provider_kashoo.sandbox.salesforce.ids import IdBlock
from airflow_provider_kashoo.sandbox.salesforce.tables import Links, Row, Table


def _cycle(values: Sequence[Any] | IdBlock) -> Callable[[int], Any]:
    get, size = values.__getitem__, len(values)
    return lambda index: get(index % size)


def _numbered(stem: str) -> Callable[[int], str]:
    return lambda index: f"{stem}{index:07}"


@dataclass(frozen=True)
class Columns:
    """What the rows of a table are made of.

    ``fixed`` are the fields that are alike in all rows; ``cycles`` repeat a list over the rows; ``names`` end in the
    row's number; ``links`` go round the ids of another block; ``stamps`` rise, many neighbouring rows sharing each.
    """

    ids: IdBlock
    fixed: Row
    cycles: dict[str, list[Any]]
    names: dict[str, str]
    links: dict[str, IdBlock]
    stamps: list[str]
    stamped: tuple[str, ...] = ("SystemModstamp", "LastModifiedDate", "CreatedDate")

    def makers(self) -> dict[str, Callable[[int], Any]]:
        """Return, by field, what computes its value from the number of a row."""
        found: dict[str, Callable[[int], Any]] = {"Id": self.ids.__getitem__}
        for name, values in self.cycles.items():
            found[name] = _cycle(values)
        for name, block in self.links.items():
            found[name] = _cycle(block)
        for name, stem in self.names.items():
            found[name] = _numbered(stem)
        for name in self.stamped:
            found[name] = self._stamp
        return found

    def _stamp(self, index: int) -> str:
        return self.stamps[index * len(self.stamps) // len(self.ids)]

    def numbers(self, low: str, high: str) -> range:
        """Return the rows whose stamps may lie in [``low``, ``high``]."""
        first, after = bisect_left(self.stamps, low), bisect_right(self.stamps, high)
        size, each = len(self.ids), len(self.stamps)
        return range(-(-first * size // each), -(-after * size // each))


class _Light(dict[str, Any]):
    """A row that computes each field when it is asked for; only to be read by key."""

    __slots__ = ("index", "source")

    def __init__(self, source: GeneratedRows, index: int) -> None:
        self.source, self.index = source, index

    def __missing__(self, name: str) -> Any:
        maker = self.source.makers.get(name)
        return self.source.columns.fixed[name] if maker is None else maker(self.index)


class GeneratedRows(MutableMapping[str, Row]):
    """Rows by id: computed, unless they were written since."""

    def __init__(self, columns: Columns) -> None:
        self.columns, self.makers = columns, columns.makers()
        self._changed: dict[int, Row | None] = {}
        self._added: dict[str, Row] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.columns, self._changed, self._added)

    def _row(self, index: int) -> Row:
        return self.columns.fixed | {name: maker(index) for name, maker in self.makers.items()}

    def __getitem__(self, key: str) -> Row:
        index = self.columns.ids.index(key)
        if index is None:
            return self._added[key]
        row = self._changed[index] if index in self._changed else self._row(index)
        if row is None:
            raise KeyError(key)
        return row

    def __setitem__(self, key: str, row: Row) -> None:
        index = self.columns.ids.index(key)
        if index is None:
            self._added[key] = row
        else:
            self._changed[index] = row

    def __delitem__(self, key: str) -> None:
        index = self.columns.ids.index(key)
        if index is None:
            del self._added[key]
        else:
            self._changed[index] = None

    def __iter__(self) -> Iterator[str]:
        for index in range(len(self.columns.ids)):
            if self._changed.get(index, self) is not None:
                yield self.columns.ids[index]
        yield from self._added

    def __len__(self) -> int:
        gone = sum(row is None for row in self._changed.values())
        return len(self.columns.ids) - gone + len(self._added)

    def live(self) -> int:
        """Return how many rows lie outside the recycle bin; what was never written does."""
        binned = sum(bool(row and row["IsDeleted"]) for row in (*self._changed.values(), *self._added.values()))
        return len(self) - binned

    def light(self, low: str, high: str) -> Iterator[Row]:
        """Yield the rows stamped in a span, and all that were written, in order of their ids; to be read by key."""
        changed, span = self._changed, self.columns.numbers(low, high)
        early = sorted(index for index in changed if index < span.start)
        late = sorted(index for index in changed if index >= span.stop)
        yield from (row for index in early if (row := changed[index]) is not None)
        if not changed:
            yield from (_Light(self, index) for index in span)
        else:
            for index in span:
                if index not in changed:
                    yield _Light(self, index)
                elif (row := changed[index]) is not None:
                    yield row
        yield from (row for index in late if (row := changed[index]) is not None)
        yield from self._added.values()


def _again(columns: Columns, changed: dict[int, Row | None], added: dict[str, Row]) -> GeneratedRows:
    made = GeneratedRows(columns)
    vars(made).update(_changed=changed, _added=added)
    return made


class _GeneratedLinks(MutableMapping[str, dict[str, None]]):
    """Children by parent: those of the computed rows, until a parent's children are changed."""

    def __init__(self, children: IdBlock, parents: IdBlock) -> None:
        self._children, self._parents = children, parents
        self._own: dict[str, dict[str, None]] = {}

    def _computed(self, key: str) -> dict[str, None] | None:
        index = self._parents.index(key)
        if index is None:
            return None
        return {self._children[child]: None for child in range(index, len(self._children), len(self._parents))}

    def get(self, key: str, default: Any = None) -> Any:
        """Return the children of a parent without keeping them."""
        own = self._own.get(key)
        return own if own is not None else self._computed(key) or default

    def __getitem__(self, key: str) -> dict[str, None]:
        if key not in self._own:
            computed = self._computed(key)
            if computed is None:
                raise KeyError(key)
            self._own[key] = computed
        return self._own[key]

    def __setitem__(self, key: str, children: dict[str, None]) -> None:
        self._own[key] = children

    def __delitem__(self, key: str) -> None:
        self._own[key] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)


class GeneratedTable(Table):
    """A table whose first rows are computed; everything else is as in any other table."""

    def __init__(self, empty: Table, columns: Columns) -> None:
        if empty.rows:
            raise ValueError(f"{empty.name} has rows already")
        super().__init__(empty.sobject)
        self.rows: MutableMapping[str, Row] = GeneratedRows(columns)
        if any(columns.fixed.get(name) for name in self.refs):
            raise ValueError("a reference is a link, or it would be in no index")
        for name, block in columns.links.items():
            links: Links = _GeneratedLinks(columns.ids, block)
            self.refs[name] = links

    def scan(self, low: str, high: str) -> Iterable[Row]:
        """Return the rows stamped in a span, and all that were written."""
        return self._generated().light(low, high)

    def live(self) -> int:
        """Return how many rows lie outside the recycle bin."""
        return self._generated().live()

    def _generated(self) -> GeneratedRows:
        return cast("GeneratedRows", self.rows)  # asked anew: putting a snapshot back replaces the rows
