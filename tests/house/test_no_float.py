"""No float enters the path of money: what may make one is not written in the modules that amounts pass through."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from test_house import PACKAGE, dotted, module, said

MONEY = (
    "clients/entries.py",
    "clients/values.py",
    "core/mapping/stages/amounts.py",
    "core/mapping/stages/apply_rules.py",
    "core/mapping/stages/charge.py",
    "core/mapping/stages/in_parts.py",
    "core/mapping/stages/lines.py",
    "core/mapping/stages/select.py",
    "core/mapping/stages/shares.py",
    "core/mapping/stages/sold.py",
    "core/mapping/stages/transform.py",
    "core/mapping/stages/write_back.py",
    "core/mapping/values/cells.py",
    "core/mapping/values/convert.py",
    "core/mapping/values/written.py",
    "core/rules/approval.py",
    "core/rules/receivables.py",
    "core/rules/settlement.py",
    "core/rules/totals.py",
    "core/values/money.py",
    "plugins/routes/invoices.py",
    "reports/invoice_pdf/document.py",
    "reports/invoice_pdf/factur_x.py",
    "reports/invoice_pdf/filled.py",
    "store/find_invoices.py",
    "sync/bill/compare.py",
    "sync/bill/credits.py",
    "sync/bill/facts.py",
    "sync/bill/payments.py",
    "sync/tie_out/accounts.py",
    "sync/tie_out/listed.py",
    "sync/tie_out/owed.py",
    "sync/tie_out/won.py",
    "sync/write/paying.py",
    "sync/write/printed.py",
)
"""Where amounts are read, added up, rounded, compared and written."""

VALUES = [path.stem for path in (PACKAGE / "core" / "values").glob("*.py")]

OF_TIME = ("created",)
"""Functions in them that are about seconds."""

ROUNDS = "core/values/money.py"
"""The only module that rounds money."""

FLOATS = ("float", "float16", "float32", "float64", "double")
ROUNDING = ("round", "around", "rint", "quantize", "to_integral", "to_integral_value", "to_integral_exact")


def may_be_a_float(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find literals, names, and divisions: of two integers, a division is a float."""
    of_time = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in OF_TIME]
    left_out = {inner for function in of_time for inner in ast.walk(function)}
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"the number {node.value!r}"
        elif isinstance(node, ast.Name | ast.Attribute) and dotted(node)[-1:] and dotted(node)[-1] in FLOATS:
            yield node.lineno, ".".join(dotted(node))
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield node.lineno, "a division with /"


def rounds(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find calls that round by a rule of their own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func)[-1:] and dotted(node.func)[-1] in ROUNDING:
            yield node.lineno, f"{'.'.join(dotted(node.func))}()"


def test_no_float_enters_the_path_of_money() -> None:
    found = [f"{name}:{line} {what}" for name in MONEY for line, what in may_be_a_float(module(PACKAGE / name))]
    assert not found, said(found, f"Count in minor units, or in Decimal; what divides is in {ROUNDS}.")


def test_money_is_rounded_in_one_place() -> None:
    others = [name for name in MONEY if name != ROUNDS]
    found = [f"{name}:{line} {what}" for name in others for line, what in rounds(module(PACKAGE / name))]
    assert not found, said(found, f"Let {ROUNDS} round it.")


@pytest.mark.parametrize(
    "code", ["x = 0.5", "float(x)", "np.float64", "a / 2", "a /= 2", "pa.array(x, pa.float64())", "math.inf / b", "1e3"]
)
def test_what_may_be_a_float_is_seen(code: str) -> None:
    assert list(may_be_a_float(ast.parse(code)))


@pytest.mark.parametrize("code", ["round(x, 2)", "np.round(x)", "x.quantize(y)", "x.to_integral_value()"])
def test_what_rounds_is_seen(code: str) -> None:
    assert list(rounds(ast.parse(code)))


@pytest.mark.parametrize("code", ["a // 2", "divmod(a, 2)", "Decimal('0.5')", "x: floating"])
def test_what_is_exact_is_let_be(code: str) -> None:
    assert not list(may_be_a_float(ast.parse(code)))


def test_each_module_that_imports_money_or_totals_is_looked_at() -> None:
    """A new one that does more than write amounts for people belongs into the list."""
    harmless = {"format_minor", "format_in", "format_exact", "as_decimal", "decimals_of", "NotMoney", "Rounding"}
    harmless |= {"tax_codes", "NO_TAX", "INCLUDED", "mixes", "Counting", "MINOR_DIGITS"}
    places = {"core.values.money": harmless, "core.rules.totals": harmless, "core.values": {*VALUES} - {"money"}}
    computing = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(module(path))
        if isinstance(node, ast.ImportFrom)
        and (known := places.get((node.module or "").removeprefix(f"{PACKAGE.name}."))) is not None
        and {alias.name for alias in node.names} - known
    }
    # Settings have amounts above which a person is asked, and seconds besides; constants are checked as texts.
    assert computing - {*MONEY} == {"settings.py", "core/mapping/file/constants.py"}
