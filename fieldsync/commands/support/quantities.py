"""Sizes and durations as users type them: 200KB, 1 MB, 90s, 5m."""

import re

from fieldsync import errors
from fieldsync.schema.text_cleaning import plain_digits

_SIZES = {"": 1, "b": 1, "k": 1_000, "kb": 1_000, "m": 1_000_000, "mb": 1_000_000, "kib": 1 << 10, "mib": 1 << 20}
_TIMES = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0}
_AGES = {"": 86_400.0, "h": 3_600.0, "d": 86_400.0, "w": 7 * 86_400.0}
_AMOUNT = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]*)\s*")


def size(text: str, least: int) -> int:
    """Return bytes of `200KB`, `200K`, `1MB`, `1.5 MiB` or plain `200000`; Usage for anything else, or less than `least`."""
    bytes_ = _amount(text, _SIZES)
    if bytes_ is None:
        raise errors.Usage(reason="budget", given=text)
    if bytes_ < least:
        raise errors.Usage(reason="budget_small", given=text, least=least)
    return int(bytes_)


def seconds(text: str) -> float:
    """Return seconds of `60s`, `5m`, `1h` or plain `60`; Usage for anything else, or less than one second."""
    found = _amount(text, _TIMES)
    if found is None or not 1 <= found <= 7 * 86_400:
        raise errors.Usage(reason="every", given=text)
    return found


def hold(text: str, most: float) -> float:
    """Return seconds of `8h`, `90m`: how long something is held; Usage for anything else, for less than a second or more than `most`."""
    found = _amount(text, _TIMES)
    if found is None or not 1 <= found <= most:
        raise errors.Usage(reason="hold", given=text, hours=int(most // 3600))
    return found


def age(text: str) -> float:
    """Return seconds of `12h`, `7d`, `2w` or plain `7` (days); Usage for anything else, for nothing and for more than ten years."""
    found = _amount(plain_digits(text), _AGES)
    if found is None or not 0 < found <= 3_660 * 86_400:
        raise errors.Usage(reason="age", given=text)
    return found


def _amount(text: str, units: "dict[str, int] | dict[str, float]") -> float | None:
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2].lower() not in units:
        return None
    return float(match[1]) * units[match[2].lower()]
