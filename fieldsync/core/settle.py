"""Settle: a pure function from a register and its policy to the shown value, and whether a person must look.

It runs when a record is read or stored; it changes no register and drops no head.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import combinations
from typing import NamedTuple, cast

from fieldsync.core import names, stamp
from fieldsync.core.lifecycle import Lifecycle
from fieldsync.core.register import Context, Dot, Head, Register, Value, contexts_of

POLICIES = ("review", "latest", "greatest", "least", "furthest", "once", "set", "tally", "log")


class Policy(NamedTuple):
    """The merge policy of a field; `order` ranks choices, `lifecycle` ranks states."""

    merge: str = "review"
    order: tuple[str, ...] = ()
    lifecycle: Lifecycle | None = None

    def values_equal(self, a: Value, b: Value) -> bool:
        """Return whether two values are the same once normalised; codes of choices and states are compared exactly."""
        if self.order or self.lifecycle is not None:
            return a == b and isinstance(a, bool) == isinstance(b, bool)
        return names.equal_values(a, b)


class SettledValue(NamedTuple):
    """The value to show, the head it comes from, and whether a person must look."""

    value: Value
    head: Head | None
    look: bool


REVIEW = Policy()
# the register `_decided/FIELD` keeps what a decision was made over; a field that holds REOPENED is undecided again
DECIDED = "_decided"
REOPENED = "reopened"
_LAST = (1 << 63) - 1  # a number that a store keeps


Person = Callable[[bytes], object]
"""Returns whose a device is: equal for the devices of one person."""


def device_itself(device: bytes) -> object:
    """Return the device as its own person."""
    return device


def trusts_all(_head: Head) -> bool:
    """Return False: no clock is known to be wrong."""
    return False


def newest_head(heads: Iterable[Head]) -> Head:
    """Return the newest head; equal stamps fall to the larger dot, so that every node picks the same."""
    return max(heads, key=lambda h: (h.stamp, h.device, h.seq))


def candidate_heads(register: Register) -> tuple[Head, ...]:
    """Return the heads to choose from; an undone decision is replaced by the heads it was made over."""
    for head in register.heads:
        if isinstance(head.value, dict) and REOPENED in head.value:
            break
    else:
        return register.heads
    found: dict[Dot, Head] = {}
    for head in register.heads:
        again = head.value.get(REOPENED) if isinstance(head.value, dict) else None
        try:
            heads = tuple(map(unpack_head, again)) if isinstance(again, list) else (head,)
        except ValueError:
            heads = ()
        found.update(
            (one.dot, one) for one in heads or (head,)
        )  # one that has none is no value of ours: shown as it is
    return tuple(sorted(found.values(), key=lambda h: h.dot))


def pack_head(head: Head) -> list[object]:
    """Return a head as a JSON value, to be carried in a decision or its undoing."""
    return [head.device.hex(), *head[1:]]


def unpack_head(value: object) -> Head:
    """Return the head of a JSON value made by `pack_head`; ValueError if it is invalid."""
    match value:
        case [str(device), int(seq), int(at), str(author), chosen] if 0 < seq <= _LAST and 0 <= at <= stamp.LAST_LOGGED:
            return Head(bytes.fromhex(device), seq, at, author, cast("Value", chosen))
    raise ValueError("not a head")


def unpack_heads(value: object) -> tuple[Head, ...]:
    """Return the heads in a JSON value, by any author; invalid ones are left out."""
    found = []
    for one in value if isinstance(value, list) else ():
        with suppress(ValueError):
            found.append(unpack_head(one))
    return tuple(found)


def heads_disagree(
    a: tuple[Head, Context | None], b: tuple[Head, Context | None], policy: Policy, person: Person = device_itself
) -> bool:
    """Return whether two heads, each with its context, differ: in value, or as one alone has written over a third person's commit.

    Else one commit that takes one side's value would end a conflict between that side and another. An unknown context tells nothing.
    """
    if not policy.values_equal(a[0].value, b[0].value):
        return True
    return _wrote_over_more(*a, *b, person) or _wrote_over_more(*b, *a, person)


def _wrote_over_more(head: Head, context: Context | None, other: Head, others: Context | None, person: Person) -> bool:
    if context is None or others is None:
        return False
    unknown = [
        device
        for device, seq in context.items()
        if seq > others.get(device, 0) and not (device == other.device and seq <= other.seq)
    ]
    own = (person(head.device), head.author)  # a server repeats commits of a copied store in their author's name
    return any(person(device) not in own for device in unknown)


def settle(
    register: Register,
    policy: Policy,
    off: Callable[[Head], bool] = trusts_all,
    person: Person = device_itself,
) -> SettledValue:
    """Settle a plain field's register; `off(head)`: whether that head's clock was wrong; `person`: the person of a device."""
    heads = candidate_heads(register)
    if not heads:
        return SettledValue(None, None, False)
    if len(heads) == 1:
        return SettledValue(heads[0].value, heads[0], False)
    latest = newest_head(heads)
    if all(policy.values_equal(head.value, latest.value) for head in heads) and not _wrote_apart(
        register, policy, person
    ):
        return SettledValue(latest.value, latest, False)
    chosen, look = latest, True
    match policy.merge:
        case "latest":
            look = any(off(head) for head in heads)
        case "once" | "server":
            chosen = min(heads, key=lambda h: (h.stamp, h.device, h.seq))
        case "greatest" | "least":
            extreme = _extreme_head(heads, policy)
            if extreme is not None:
                chosen, look = extreme, False
        case "furthest":
            furthest = _furthest_head(heads, policy)
            if furthest is not None:
                chosen, look = furthest, False
    return SettledValue(chosen.value, chosen, look)


def _wrote_apart(register: Register, policy: Policy, person: Person) -> bool:
    """Return whether equal values have come about by writing over different people's commits, where a person decides such things."""
    if policy.merge not in ("review", "once", "server"):
        return False
    contexts = contexts_of(register)
    if all(context == contexts[0] for context in contexts):
        return False  # most: they all started from one value
    writes = zip(register.heads, contexts, strict=True)
    return any(heads_disagree(a, b, policy, person) for a, b in combinations(writes, 2))


def settle_member(register: Register) -> bool:
    """Settle a set's member: it is present while any head says so, as a concurrent add wins over a removal."""
    return any(head.value is True for head in register.heads)


def settle_tally_part(register: Register) -> int:
    """Settle one device's part of a tally; a cloned device's two heads count once, as the larger."""
    return max((h.value for h in register.heads if isinstance(h.value, int)), default=0)


_UNORDERED = 2


def _extreme_head(heads: tuple[Head, ...], policy: Policy) -> Head | None:
    known = [head for head in heads if head.value is not None]

    def rank(head: Head) -> tuple[int, float, str]:
        value = head.value
        if policy.order:
            return policy.order.index(value) if value in policy.order else -1, 0, ""
        if isinstance(value, int | float):
            return 0, value, ""
        return (1, 0, value) if isinstance(value, str) else (_UNORDERED, 0, "")

    pick = max if policy.merge == "greatest" else min
    best = pick(known, key=lambda h: (*rank(h), h.device, h.seq), default=None)
    if best is None or (
        not policy.order and any(rank(h)[0] != rank(best)[0] or rank(h)[0] == _UNORDERED for h in known)
    ):
        return None  # values of different kinds have no greatest, nor have lists and maps: a person looks
    return newest_head(head for head in known if rank(head) == rank(best))


def _furthest_head(heads: tuple[Head, ...], policy: Policy) -> Head | None:
    known = [head for head in heads if isinstance(head.value, str)]
    for candidate in sorted(known, key=lambda h: (h.stamp, h.device, h.seq), reverse=True):
        if all(_is_further_along(candidate.value, other.value, policy) for other in known):
            return candidate
    return None


def are_in_sequence(a: Value, b: Value, policy: Policy) -> bool:
    """Return whether one of two lifecycle values is further along than the other; an empty one always precedes."""
    return (
        not isinstance(a, str)
        or not isinstance(b, str)
        or _is_further_along(a, b, policy)
        or _is_further_along(b, a, policy)
    )


def _is_further_along(a: Value, b: Value, policy: Policy) -> bool:
    if a == b:
        return True
    if policy.lifecycle is not None:
        return policy.lifecycle.further_state(str(a), str(b)) == a
    order = policy.order
    return a in order and b in order and order.index(str(a)) > order.index(str(b))
