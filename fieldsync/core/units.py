"""Units and channels: paths such as `LAT/JBL`, and which channel a record's unit stands for. Pure."""

import re
from functools import lru_cache

from fieldsync import errors

SHARED = "/~"  # at the end of a channel's name; no unit ends so

LEFT = "_left"
"""The unit, nobody's, of what has left a branch's units and stays there until all its laptops have heard."""

BELOW = "/*"  # ends the name of the channel with what a unit keeps for everybody below it

ABOVE = "/^"  # and of that with what is about a unit, and only for those above it


def home_unit(channel: str) -> str:
    """Return the unit whose records a channel carries: `LAT` for its own, for those it keeps for all below, and for those above."""
    return channel.removesuffix(BELOW).removesuffix(ABOVE)


def top_of(unit: str) -> str:
    """Return the topmost unit that a unit is in."""
    return unit.partition("/")[0]


def is_within(unit: str, whole: str) -> bool:
    """Return whether a unit is another one, or below it."""
    return unit == whole or unit.startswith(whole + "/")


def unit_of_channel(channel: str) -> str:
    """Return the unit that people know a channel by, whatever of that unit it carries."""
    return home_unit(channel).removesuffix(SHARED)


def shared_with(unit: str) -> str:
    """Return the channel of records shared with a unit."""
    return unit + SHARED


UNIT = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,31}(/[A-Z0-9][A-Z0-9_-]{0,31}){0,7}")


@lru_cache(maxsize=4_096)
def is_unit(value: object) -> bool:
    """Return whether a value is the path of a unit."""
    return isinstance(value, str) and UNIT.fullmatch(value) is not None


def check_unit(unit: str) -> str:
    """Return a unit's path if it is one (A-Z, 0-9, - and _, parts joined by /); IllegalValue."""
    if not UNIT.fullmatch(unit):
        raise errors.IllegalValue(type="unit", field="unit", reason="pattern", pattern="LAT/JBL")
    return unit
