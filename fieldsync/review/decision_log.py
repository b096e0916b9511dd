"""Statistics of supervisors' decisions: the time each took, and agreement between two who decided the same conflict.

Read from the commits of people who may decide at present: on a server all of them, on a laptop its own.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from fieldsync.core import names, stamp
from fieldsync.core.commit import Commit
from fieldsync.core.grants import DECIDERS
from fieldsync.core.register import Dot, Value
from fieldsync.core.settle import DECIDED, unpack_heads
from fieldsync.core.units import is_within
from fieldsync.replica.node import Node
from fieldsync.replica.record_units import unit_of
from fieldsync.store import ReadTx

_LONGEST = 10 * 60  # seconds: a longer pause was spent on something else


class LoggedDecision(NamedTuple):
    """A decision.

    day: on which it was made (UTC).
    seconds: since what the same person saved before; None where that is long ago, or was in the same save.
    second: whether somebody else had decided the same conflict before.
    agrees: whether that one decided alike.
    """

    by: str
    day: str
    seconds: float | None
    second: bool
    agrees: bool


class _LoggedDecision(NamedTuple):
    """A decision from its commit; `dots` are the heads it was made over, and itself."""

    commit: Commit
    field: str
    value: Value
    dots: frozenset[Dot]
    seconds: float | None


def logged_decisions(node: Node, unit: str | None = None) -> list[LoggedDecision]:
    """Return all decisions about records of a unit and below it, the oldest first."""
    with node.store.read() as tx:
        made = sorted(_decisions_made(tx), key=lambda one: (one.commit.stamp, one.commit.device))
        rows = tx.rows({one.commit.record for one in made}) if unit is not None else {}
        units = {record: unit_of(tx, row) for record, row in rows.items()}
    before: dict[tuple[bytes, str], list[_LoggedDecision]] = defaultdict(list)
    found = []
    for one in made:
        commit = one.commit
        earlier = before[commit.record, one.field]
        other = next((was for was in reversed(earlier) if _is_second(was, one)), None)
        earlier.append(one)
        if unit is None or is_within(units.get(commit.record, ""), unit):
            agrees = other is not None and names.equal_values(other.value, one.value)
            day = stamp.stamp_day(commit.stamp)
            found.append(LoggedDecision(commit.author, day, one.seconds, other is not None, agrees))
    return found


def _is_second(was: _LoggedDecision, one: _LoggedDecision) -> bool:
    """Return whether somebody else's decision was about the same values, or about that decision itself."""
    return was.commit.author != one.commit.author and not was.dots.isdisjoint(one.dots)


def _decisions_made(tx: ReadTx) -> Iterator[_LoggedDecision]:
    for device in tx.devices():
        if not any(grant.role in DECIDERS for grant in device.grants):
            continue
        last: int | None = None
        for logged in tx.commits_behind(device.id, 0):
            at = stamp.milliseconds(logged.stamp)
            commit = logged.commit()
            if commit is not None:
                seconds = None if last is None else (at - last) / 1000
                taken = seconds if seconds is not None and 0 < seconds <= _LONGEST else None
                yield from _decisions_of(commit, taken)
            last = at


def _decisions_of(commit: Commit, seconds: float | None) -> Iterator[_LoggedDecision]:
    for name, over in commit.fields.items():
        field = name.partition("/")[2]
        if name.startswith(f"{DECIDED}/") and isinstance(over, dict) and field in commit.fields:
            dots = {head.dot for head in unpack_heads(over.get("heads"))}
            yield _LoggedDecision(
                commit, field, commit.fields[field], frozenset({*dots, (commit.device, commit.seq)}), seconds
            )
