"""The shown value of a register, and whether it needs review: the design's table of policies."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from tests.model.oracle import fields
from tests.model.oracle.commits import Value, Write
from tests.model.oracle.registers import disagree, heads, plain, reopened, same


class Must(Enum):
    """What the design demands; EITHER where it leaves it open."""

    YES = "must"
    NO = "must not"
    EITHER = "may"

    def allows(self, found: bool) -> bool:
        """Say whether what was found is as demanded."""
        return self is Must.EITHER or (self is Must.YES) is found


class Shown(NamedTuple):
    """The values of which one may be shown (compared by normalisation), and whether a person must look."""

    values: list[Value]
    look: Must


class Candidate(NamedTuple):
    """A value that stands in a register: a head's, or one that an undone decision stands for."""

    value: Value
    stamp: int
    device: bytes
    seq: int


Off = Callable[[bytes, int], Must]
"""Whether the clock of a device's commit is known to have been off."""


def candidates(found: Sequence[Write]) -> list[Candidate]:
    """Return what is to be chosen from; a decision that was undone stands for the heads it had been made over."""
    chosen: dict[tuple[bytes, int], Candidate] = {}
    for head in found:
        again = reopened(head)
        if again is None:
            chosen[head.dot] = Candidate(head.value, head.stamp, head.device, head.seq)
        else:
            for device, seq, stamp, _, value, *_ in again:
                chosen[bytes.fromhex(device), seq] = Candidate(value, stamp, bytes.fromhex(device), seq)
    return [chosen[dot] for dot in sorted(chosen)]


def settle(type: str, field: str, written: Sequence[Write], off: Off) -> Shown:
    """Settle a plain field from all accepted writes of its register."""
    found = heads(written)
    chosen = candidates(found)
    if not chosen:
        return Shown([None], Must.NO)
    values = [one.value for one in chosen]
    newest = max(chosen, key=lambda one: (one.stamp, one.device, one.seq))
    undone = any(reopened(head) is not None for head in found)
    equal = all(same(value, newest.value) for value in values)
    apart = (not equal) if undone else disagree(found, written)
    if not apart:
        return Shown([newest.value], Must.NO)
    policy = fields.policy(type, field)
    if equal and policy not in ("review", "once", "latest"):
        return Shown([newest.value], Must.NO)
    match policy:
        case "latest":
            found_off = [off(one.device, one.seq) for one in chosen]
            look = Must.YES if Must.YES in found_off else Must.EITHER if Must.EITHER in found_off else Must.NO
            return Shown([newest.value], look)
        case "greatest" | "least":
            known = [value for value in values if value is not None]
            return Shown([(max if policy == "greatest" else min)(known, key=_rank, default=None)], Must.NO)
        case "furthest":
            return _furthest(type, values, newest.value)
        case "once":
            return Shown(values, Must.YES)
    return Shown([newest.value], Must.EITHER if undone and equal else Must.YES)


def _rank(value: Value) -> tuple[int, Value]:
    return (0, value) if isinstance(value, int) else (1, str(value))


def _furthest(type: str, values: Sequence[Value], newest: Value) -> Shown:
    known = [value for value in values if isinstance(value, str)]
    order = list(fields.steps(type))

    def further(a: str, b: str) -> bool:
        if a == b:
            return True
        forth, back = fields.leads_to(type, b, a), fields.leads_to(type, a, b)
        return order.index(a) > order.index(b) if forth and back else forth

    for one in known:
        if all(further(one, other) for other in known):
            return Shown([one], Must.NO)
    return Shown([newest], Must.YES)


def present(found: Sequence[Write]) -> bool:
    """Say whether a set has a member: a concurrent add beats a remove."""
    return any(head.value is True for head in found)


def composite(policy: str, parts: dict[str, list[Write]]) -> Value:
    """Return what a set, tally or log shows of its registers."""
    standing = {name: heads(written) for name, written in parts.items()}
    if policy == "set":
        return sorted(name.partition("/")[2] for name, found in standing.items() if present(found)) or None
    if policy == "tally":
        counts = [max((h.value for h in found if type(h.value) is int), default=0) for found in standing.values()]
        return sum(counts) if standing else None
    entries = sorted(
        (head.stamp, head.device, head.seq, plain(head.value)) for found in standing.values() for head in found[-1:]
    )
    return [text for *_, text in entries] or None
