"""Coverage of edits and acceptance by a server: the design's rule over all accepted writes of a register."""

from collections.abc import Callable, Mapping, Sequence

from tests.model.oracle import fields
from tests.model.oracle.commits import Dot, Write
from tests.model.oracle.registers import agree, concurrent, disagree, heads, reopened
from tests.model.oracle.settling import candidates

_JUDGED = ("review", "once", "latest", "furthest")


def is_open(type: str, field: str, found: Sequence[Write], written: Sequence[Write]) -> bool:
    """Say whether a register is open: heads that disagree, under `furthest` branches that diverge; the others never are."""
    policy = fields.policy(type, field)
    if policy not in _JUDGED or len(found) == 0:
        return False
    if policy == "furthest":
        return diverge(type, [one.value for one in candidates(found)])
    if any(reopened(one) is not None for one in found):
        return True
    return disagree(found, written)


def diverge(type: str, values: Sequence[object]) -> bool:
    """Say whether none of these states is the furthest along."""
    known = {value for value in values if isinstance(value, str)}
    return bool(known) and not any(
        all(one == other or fields.leads_to(type, other, one) for other in known) for one in known
    )


def covered(
    type: str,
    field: str,
    found: Sequence[Write],
    written: Sequence[Write],
    device: bytes,
    person: str,
    base: Dot | None,
) -> set[Dot]:
    """Return the heads that an ordinary edit on this device covers."""
    everything = {one.dot for one in found}
    if not is_open(type, field, found, written):
        return everything
    mine = {one.dot for one in found if one.device == device}
    own = {one.dot for one in found if one.author == person}
    others = any(one.author != person and one.dot != base for one in written)
    if not others:
        return mine | own
    if fields.policy(type, field) == "latest" and not own:
        return mine | {max(found, key=lambda one: (one.stamp, one.device, one.seq)).dot}
    return mine


def accepted(
    type: str, field: str, write: Write, others: Sequence[Write], base: Dot | None, present: Callable[[Dot], bool]
) -> bool:
    """Say whether a server accepts what somebody who decides nothing wrote; `others` are the other accepted writes of the register.

    `present` says of a named commit whether it is here, if only without its value.
    """
    policy = fields.policy(type, field)
    if policy not in _JUDGED:
        return True
    known = {one.dot: one for one in others}
    named = [one for one in others if write.covers(one.dot)]
    if all(one.author == write.author or one.dot == base for one in named):
        return True
    if not all(present(dot) for dot in write.context.items()):
        return False
    if not all(_within(one.context, write.context, one.device, one.seq) for one in named):
        return False
    standing = [
        one
        for one in named
        if not any(
            other.covers(one.dot) and (other.author != write.author or one.author == write.author)
            for other in known.values()
        )
    ]
    if policy == "furthest":
        return not diverge(type, [one.value for one in standing])
    return not any(
        concurrent(a, b) and not agree(a, b, [*others]) for i, a in enumerate(standing) for b in standing[i + 1 :]
    )


def _within(inner: Mapping[bytes, int], outer: Mapping[bytes, int], device: bytes, seq: int) -> bool:
    return all(n <= outer.get(d, 0) for d, n in inner.items() if d != device or n >= seq)


def standing_heads(written: Sequence[Write]) -> set[Dot]:
    """Return the names of a register's heads."""
    return {one.dot for one in heads(written)}
