"""Stored values as plain types for every file format, whatever program wrote them, so that no value stops an export."""

import datetime as dt
import math
import re

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LARGEST = 1 << 63  # SQLite's integers, and most programs', are smaller


def plain_value(value: object) -> object:
    """Return a value made of text, truth, whole numbers of 64 bits, finite ones, lists and dicts with text for keys."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()  # half a character is none
    if isinstance(value, int):
        return value if -_LARGEST <= value < _LARGEST else _digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, dict):
        return {str(plain_value(key)): plain_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(one) for one in value]
    return str(value)


def _digits(value: int) -> str:
    return str(value) if value.bit_length() < 4_000 else hex(value)  # Python writes no number of so many digits


UNCOMPUTED = "=?"  # stands in a cell whose formula was never computed


def date_cell(value: object) -> object:
    """Return a day as a date, which spreadsheets can sort and filter; other values unchanged."""
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else value
    except ValueError:
        return value


def time_cell(value: object) -> object:
    """Return a JSON time as local time, to the minute, as spreadsheets have no zones; other values unchanged."""
    try:
        found = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return value
    return value if found is None else found.astimezone().replace(second=0, microsecond=0, tzinfo=None)
