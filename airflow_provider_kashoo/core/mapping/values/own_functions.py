"""A user's own function in a mapping: found once, called with columns, and held against what it declares.

It gets one pandas Series for each input and returns a Series or a list with one value for each row. What does not keep
to that is a problem of the rows that it concerns, never of the run.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from airflow_provider_kashoo.core.errors import Problem, shown
from airflow_provider_kashoo.core.mapping.values.cells import Cells
from airflow_provider_kashoo.core.mapping.values.computed import column_of, typed
from airflow_provider_kashoo.core.mapping.values.operations import MOST_PLACES
from airflow_provider_kashoo.core.values.texts import nearest

Returns = Literal["text", "date", "number", "money", "code"]
"""What a function declares to return: money as Decimal or int, in major units."""

_MOST_SAID = 300
_FIX = "Correct the function, or the values that it gets from Salesforce."
_TAKEN: Mapping[Returns, tuple[type, ...]] = {
    "text": (str,),
    "code": (str,),
    "date": (date,),
    "number": (Decimal, int),
    "money": (Decimal, int),
}
_REFUSED = (bool, datetime)
"""Are numbers and dates to Python, and nobody means them so."""


class NoFunction(ValueError):
    """A function cannot be used.

    :param what: why.
    :param fix: what to do.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


class _Broken(ValueError):
    """What a function returned is not what it must return; the message says why."""


@lru_cache(maxsize=256)
def function_of(reference: str, inputs: int) -> Callable[..., Any]:
    """Import a function, once.

    :param reference: such as ``my_package.rules:terms``.
    :param inputs: how many columns it is to take.
    :raises NoFunction: when it is not there, is no function, or takes another number of values.
    """
    module, _, name = reference.partition(":")
    try:
        with _without_warnings():
            found = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001  a user's module may raise anything
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            where = "the installed packages and Airflow's plugins folder"
            what = f"there is no module {error.name!r}; looked for among {where}"
            raise NoFunction(what, "Correct the name, or install it there.") from None
        raise NoFunction(f"importing {module!r} fails: {_said(error)}", "Correct the module.") from None
    function = getattr(found, name, None)
    if function is None:
        raise NoFunction(f"the module {module!r} ({_file(found)}) has no {name!r}", nearest(name, _functions(found)))
    if not callable(function):
        raise NoFunction(f"{reference!r} is no function but {type(function).__name__}", "Name a function.")
    try:
        inspect.signature(function).bind(*range(inputs))
    except TypeError as error:
        raise NoFunction(f"{reference!r} does not take {inputs} inputs: {error}", "Change inputs, or it.") from None
    except ValueError:  # one in C that does not say what it takes
        pass
    return function  # type: ignore[no-any-return]


def called(
    reference: str, inputs: Sequence[pa.Array], zone: str, returns: Returns, length: int | None, *, nulls: bool
) -> Cells:
    """Call a function, and keep of what it returns what it declares to.

    :param inputs: the values of each input, one for each row; it gets copies of them.
    :param zone: business time zone; an instant is given as its day.
    :param length: most characters of a text.
    :param nulls: it may return nothing for a row.
    """
    rows = len(inputs[0])
    try:
        function = function_of(reference, len(inputs))
        given = [pd.Series(_objects(typed(column, zone)), dtype=object) for column in inputs]
        with _without_warnings():
            values = _values(function(*given), rows)
    except (NoFunction, _Broken) as why:
        return _all(rows, reference, str(why))
    except (Exception, SystemExit) as error:  # noqa: BLE001  a user's function may raise anything
        return _all(rows, reference, f"it failed with {_said(error)}")
    return _kept(values, partial(_checked, reference, returns, length, nulls))


def _objects(column: pa.Array) -> npt.NDArray[np.object_]:
    """Give each value as Python knows it; equal ones are one object, which nobody can change."""
    found = np.empty(len(column), np.object_)
    if column.null_count < len(column):
        encoded = column.dictionary_encode()
        distinct = np.array([*encoded.dictionary.to_pylist(), None], np.object_)
        found = distinct[encoded.indices.fill_null(len(distinct) - 1).to_numpy()]
    return found


def _kept(values: Sequence[Any], check: Callable[[Any], Any]) -> Cells:
    """Keep what was returned as a column, with each distinct value checked once."""
    alike = len({*map(type, values)}) == 1
    keys = values if alike else [*zip(map(type, values), values, strict=True)]  # True is no 1
    try:
        places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        rows = np.fromiter(map(places.__getitem__, keys), np.int64, len(keys))
        found = [check(key if alike else key[1]) for key in places]
    except TypeError:  # one of them cannot be hashed
        rows, found = np.arange(len(values)), [check(value) for value in values]
    wrong = {place: value for place, value in enumerate(found) if isinstance(value, Problem)}
    column = column_of([None if isinstance(value, Problem) else value for value in found], pa.string())
    bad = np.flatnonzero(np.isin(rows, list(wrong))).tolist() if wrong else []
    return Cells(column.take(pa.array(rows)), {row: wrong[int(rows[row])] for row in bad})


def _values(returned: Any, rows: int) -> list[Any]:
    """Give what was returned as a list, one value for each row.

    :raises _Broken: when it is something else.
    """
    if isinstance(returned, pd.Series):
        if len(returned) == rows and not returned.index.equals(pd.RangeIndex(rows)):
            raise _Broken("it returned a Series with another index than that of its inputs")
        if isinstance(returned.dtype, pd.StringDtype):  # has its own sign for what is empty
            returned = returned.astype(object).where(returned.notna(), None)
        returned = returned.tolist()
    elif not isinstance(returned, list):
        raise _Broken(f"it returned {type(returned).__name__}, not a Series or a list")
    if len(returned) != rows:
        raise _Broken(f"it returned {len(returned)} values for {rows} rows")
    return list(returned)


def _checked(reference: str, returns: Returns, length: int | None, nulls: bool, value: Any) -> Any:
    """Hold one value against what is declared; give it as a column holds it, or the problem."""
    value = (value.strip() or None) if isinstance(value, str) else value
    if value is None:
        return None if nulls else _problem(reference, "it returned nothing, and nulls: true is not declared")
    if isinstance(value, _REFUSED) or not isinstance(value, _TAKEN[returns]):
        return _problem(reference, f"it returned {shown(value)}, a {type(value).__name__}, and declares {returns}")
    if isinstance(value, str):
        return _text(reference, str(value), length)
    if isinstance(value, date):
        return value
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite() or _is_long(number):
        return _problem(reference, f"it returned {shown(value)}, which is no number that can be written down")
    return number


def _text(reference: str, text: str, length: int | None) -> str | Problem:
    if length is not None and len(text) > length:
        return _problem(reference, f"it returned {len(text)} characters, and declares a length of {length}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return _problem(reference, "it returned a text with half a character, which cannot be written")
    return text


def _is_long(number: Decimal) -> bool:
    if abs(number.adjusted()) >= 2 * MOST_PLACES:
        return bool(number)
    return number.adjusted() >= MOST_PLACES or -int(number.as_tuple().exponent) > MOST_PLACES


def _all(rows: int, reference: str, why: str) -> Cells:
    return Cells(pa.nulls(rows, pa.string()), dict.fromkeys(range(rows), _problem(reference, why)))


def _problem(reference: str, why: str) -> Problem:
    return Problem("function_failed", f"the function {reference}: {why}", _FIX, said=why)


def _said(error: BaseException) -> str:
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return said if len(said) <= _MOST_SAID else f"{said[: _MOST_SAID - 1]}…"


def _functions(module: Any) -> list[str]:
    return [name for name, each in vars(module).items() if inspect.isfunction(each)]


def _file(module: Any) -> str:
    return str(getattr(module, "__file__", None) or "built in")


def _without_warnings() -> warnings.catch_warnings[None]:
    return warnings.catch_warnings(action="ignore")
