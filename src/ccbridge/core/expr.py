"""The expressions of a flow: what a ``branch`` asks, what a ``set`` keeps, what a ``say`` says.

    caller.kind == "anonymous" or time.hour < 9
    tries + 1
    language in ["el", "en"]

Python's own grammar, of which these are allowed: whole numbers and texts, names, names with one dot,
``and or not``, ``== != < <= > >=``, ``in`` and ``not in`` with a list, ``+ - *``. Nothing is called.

Evaluation never raises. A name without a value is the empty text; a text of digits is a number where one is
asked for; what cannot be compared is not equal and neither more nor less; a sum of what are no numbers, or
one beyond ``LARGEST``, is the empty text. False, 0, "" and "0" are not true.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

Value = str | int | bool

LONGEST = 500  # characters of an expression
DEEPEST = 20  # of one within another
LARGEST = 10**15

_COMPARES: Mapping[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_SUMS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_COMPARED = (*_COMPARES, ast.Eq, ast.NotEq, ast.In, ast.NotIn)
_JSON = {"true": True, "false": False}  # as YAML writes them


class BadExpression(ValueError):
    """The message says what of it is not understood."""


@dataclass(frozen=True, slots=True)
class Expr:
    """A checked expression. Equal if it is written the same way."""

    source: str

    def names(self) -> frozenset[str]:
        """The names that it asks for: ``tries``, ``caller.number``."""
        return frozenset(_names(_tree(self.source)))

    def value(self, known: Mapping[str, Value]) -> Value:
        return _value(_tree(self.source), known)


def parse(source: str) -> Expr:
    """Raises BadExpression."""
    _check(_tree(source), 0)
    return Expr(source)


def truth(value: Value) -> bool:
    return value not in ("", "0", 0, False)


def number(value: Value) -> int | None:
    """The whole number that it is, or that its text writes."""
    if isinstance(value, int):
        return int(value)
    return int(value) if re.fullmatch(r"-?[0-9]{1,15}", value) else None


@lru_cache(maxsize=4096)
def _tree(source: str) -> ast.expr:
    if len(source) > LONGEST:
        raise BadExpression(f"is longer than {LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's, about Python
            return ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadExpression(f"is no expression: {getattr(error, 'msg', error)}") from None


def _check(node: ast.expr, depth: int) -> None:
    if depth > DEEPEST:
        raise BadExpression(f"has more than {DEEPEST} expressions within each other")
    match node:
        case ast.Constant(value=value):
            if not isinstance(value, str | int):
                raise BadExpression(f"{value!r}: only whole numbers and texts are known")
            if isinstance(value, int) and abs(value) > LARGEST:
                raise BadExpression(f"{value} is too large a number")
        case ast.Name():
            pass
        case ast.Attribute(value=ast.Name()):
            pass
        case ast.List() | ast.Tuple():
            raise BadExpression("a list may only stand after in")
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=inner):
            _check(inner, depth + 1)
        case ast.BoolOp(values=parts):
            for part in parts:
                _check(part, depth + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _SUMS:
            _check(left, depth + 1)
            _check(right, depth + 1)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            type(one) in _COMPARED for one in ops
        ):
            _check(left, depth + 1)
            for compare, other in zip(ops, others, strict=True):
                if not isinstance(compare, ast.In | ast.NotIn):
                    _check(other, depth + 1)
                elif not isinstance(other, ast.List):
                    raise BadExpression("after in there must be a list, such as [1, 2]")
                else:
                    for item in other.elts:
                        _check(item, depth + 1)
        case _:
            raise BadExpression(f"{ast.unparse(node)!r} is not known here")


def _names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        yield ast.unparse(node)
    elif isinstance(node, ast.Name) and node.id not in _JSON:
        yield node.id
    else:
        for one in ast.iter_child_nodes(node):
            if isinstance(one, ast.expr):
                yield from _names(one)


def _value(node: ast.expr, known: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=value) if isinstance(value, str | int):
            return value
        case ast.Name(id=name):
            return _JSON[name] if name in _JSON else known.get(name, "")
        case ast.Attribute():
            return known.get(ast.unparse(node), "")
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not truth(_value(inner, known))
        case ast.UnaryOp(operand=inner):
            minus = number(_value(inner, known))
            return "" if minus is None else -minus
        case ast.BoolOp(op=op, values=parts):
            each = (truth(_value(part, known)) for part in parts)
            return all(each) if isinstance(op, ast.And) else any(each)
        case ast.BinOp(left=left, op=sum_, right=right):
            return _sum(sum_, number(_value(left, known)), number(_value(right, known)))
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compared(left, ops, others, known)
    raise AssertionError(f"{ast.dump(node)} got past the check")


def _sum(op: ast.operator, left: int | None, right: int | None) -> Value:
    if left is None or right is None:
        return ""
    result = _SUMS[type(op)](left, right)
    return result if abs(result) <= LARGEST else ""


def _compared(
    left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr], known: Mapping[str, Value]
) -> bool:
    mine = _value(left, known)
    for op, other in zip(ops, others, strict=True):
        if isinstance(other, ast.List):
            among = any(_same(mine, _value(item, known)) for item in other.elts)
            if among is isinstance(op, ast.NotIn):
                return False
            continue
        theirs = _value(other, known)
        if isinstance(op, ast.Eq | ast.NotEq):
            if _same(mine, theirs) is isinstance(op, ast.NotEq):
                return False
        else:
            low, high = number(mine), number(theirs)
            if low is None or high is None or not _COMPARES[type(op)](low, high):
                return False
        mine = theirs
    return True


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    a, b = number(one), number(other)
    return a is not None and a == b
