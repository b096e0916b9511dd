"""Arithmetic and comparisons of expressions, with unknown values."""

import math

from fieldsync.schema.expressions import functions
from fieldsync.schema.expressions.functions import to_number

MAX_NUMBER = 10**100


def apply_operator(sign: str, left: object, right: object) -> int | float | str | None:
    """The value of left, sign, right; None when either is unknown."""
    a, b = to_number(left), to_number(right)
    if a is None or b is None or (sign in ("div", "mod") and b == 0):
        return functions.date_arithmetic(sign, left, right) if isinstance(left, str) else None
    result: int | float
    try:
        match sign:
            case "+":
                result = a + b
            case "-":
                result = a - b
            case "*":
                result = a * b
            case "div":
                result = a / b
            case _:
                result = math.fmod(a, b)
    except OverflowError:
        return None
    # An endless product of products would grow without bound as an integer.
    return result if math.isfinite(result) and abs(result) < MAX_NUMBER else None


def values_equal(left: object, right: object) -> bool:
    """Whether two values are equal; an empty one equals only another empty one."""
    left, right = (None if side == "" else side for side in (left, right))
    if left is None or right is None:
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    a, b = to_number(left), to_number(right)
    return a == b if a is not None and b is not None else left == right


def in_order(sign: str, left: object, right: object) -> bool:
    """Whether two numbers, or two texts, are in this order."""
    a, b = to_number(left), to_number(right)
    low: int | float | str
    high: int | float | str
    if a is not None and b is not None:
        low, high = a, b
    elif isinstance(left, str) and isinstance(right, str) and left and right:
        low, high = left, right
    else:
        return False
    if sign in (">", ">="):
        low, high = high, low
    return bool(low < high) or (sign in ("<=", ">=") and low == high)  # type: ignore[operator]
