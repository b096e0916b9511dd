"""A register: a field's heads and what they have seen. `join` is the only merge there is.

A dotted version vector set (Almeida et al., 2014), one for each field: docs/architecture.md, "The algebra".
"""

from collections.abc import Mapping
from typing import NamedTuple

Value = str | int | float | bool | list[str] | dict[str, object] | None
Dot = tuple[bytes, int]


class Head(NamedTuple):
    """One surviving value: who wrote it, on which device (16 bytes), as which of its commits, when."""

    device: bytes
    seq: int
    stamp: int
    author: str
    value: Value

    @property
    def dot(self) -> Dot:
        """The commit that wrote it: (device, seq)."""
        return self.device, self.seq


class Register(NamedTuple):
    """Heads, sorted by dot, and `seen`: device → highest seq whose effect on this field is included."""

    heads: tuple[Head, ...]
    seen: Mapping[bytes, int]


EMPTY = Register((), {})


def written(head: Head, context: Mapping[bytes, int]) -> Register:
    """Return what one write says of its field: itself, and all that `context` covers."""
    return Register((head,), {**context, head.device: head.seq})


def join(a: Register, b: Register) -> Register:
    """Merge two registers: a head survives unless the other side has seen it and let it go."""
    if not a.seen:
        return b
    if not b.seen:
        return a
    if len(b.heads) == 1 and _follows(b, a):
        return b  # the common case: one write that had seen all that we have
    in_a = {head.dot for head in a.heads}
    in_b = {head.dot for head in b.heads}
    heads = [h for h in a.heads if h.dot in in_b or h.seq > b.seen.get(h.device, 0)]
    heads += [h for h in b.heads if h.dot not in in_a and h.seq > a.seen.get(h.device, 0)]
    seen = dict(a.seen)
    for device, seq in b.seen.items():
        if seq > seen.get(device, 0):
            seen[device] = seq
    return Register(tuple(sorted(heads, key=lambda h: (h.device, h.seq))), seen)


def _follows(b: Register, a: Register) -> bool:
    head = b.heads[0]
    if head.seq <= a.seen.get(head.device, 0):
        return False
    seen = b.seen
    for device, seq in a.seen.items():  # noqa: SIM110 - a loop takes a third of the time, here where it counts
        if device not in seen or seq > seen[device]:
            return False
    return True


def context(register: Register, device: bytes, shown: Head | None, *, decides: bool) -> dict[bytes, int]:
    """Return what a new write by `device` covers: a decision everything, an edit only the head shown and its own.

    Another's head stays a head: it is covered only up to one below its dot.
    """
    covers = dict(register.seen)
    if decides:
        return covers
    for head in register.heads:
        if head.device != device and (shown is None or head.dot != shown.dot):
            covers[head.device] = head.seq - 1
    return {d: seq for d, seq in covers.items() if seq > 0}
