"""A register: a field's heads and what they have seen. `join` is the only merge there is.

A dotted version vector set (Almeida et al., 2014), one for each field: docs/architecture.md, "The algebra".
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Value = str | int | float | bool | list[str] | dict[str, object] | None
Dot = tuple[bytes, int]
Context = Mapping[bytes, int]
"""Device → highest seq: the commits that a write has written over. A head's context leaves out its own device."""


class Head(NamedTuple):
    """One surviving value with its author, device (16 bytes), commit number and stamp."""

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
    """Heads, sorted by dot, and `seen`: device → highest seq whose effect on this field is included.

    `contexts` are the heads' own, in their order; None for a head whose context is not known (0.1 kept none). They are left
    out for a lone head whose context is `seen` without its own device: so it is of nearly every register.
    """

    heads: tuple[Head, ...]
    seen: Context
    contexts: tuple[Context | None, ...] = ()


EMPTY = Register((), {})


def register_of_write(head: Head, context: Context) -> Register:
    """Return the register of one write: itself, and all that `context` covers."""
    return Register((head,), {**context, head.device: head.seq})


def contexts_of(register: Register) -> tuple[Context | None, ...]:
    """Return the context of each head."""
    if register.contexts or not register.heads:
        return register.contexts
    if len(register.heads) > 1:
        return (None,) * len(register.heads)
    own = register.heads[0].device
    return ({device: seq for device, seq in register.seen.items() if device != own},)


def build_register(writes: Iterable[tuple[Head, Context | None]], seen: Context) -> Register:
    """Return the one register that has these heads, in any order, with their contexts."""
    ordered = sorted(writes, key=lambda write: (write[0].device, write[0].seq))
    heads = tuple(head for head, _ in ordered)
    if len(ordered) == 1:
        head, context = ordered[0]
        if context is not None and {**context, head.device: head.seq} == seen:
            return Register(heads, seen)
    return Register(heads, seen, tuple(context for _, context in ordered))


def _common_context(heads: Sequence[Head], seen: Context) -> dict[bytes, int]:
    """Return the common context of heads written over the same commits, without the heads' own devices."""
    own = {head.device for head in heads}
    return {device: seq for device, seq in seen.items() if device not in own}


def context_differences(register: Register) -> list[list[tuple[bytes, int]] | None]:
    """Return of each head's context where it is not the usual one, as (device, seq), 0 for none: as contexts are kept and sent.

    Nearly all heads of a conflict were written over the same, so that nothing is to be said of them. Where the context itself is
    shorter, it stands behind a pair of the head's own device, which no context names.
    """
    if not register.contexts:
        return []
    usual = _common_context(register.heads, register.seen)
    writes = zip(register.heads, register.contexts, strict=True)
    return [None if context is None else _difference(context, usual, head.device) for head, context in writes]


def _difference(context: Context, usual: Context, own: bytes) -> list[tuple[bytes, int]]:
    if context == usual:
        return []
    found = [(device, context.get(device, 0)) for device in usual if context.get(device, 0) != usual[device]]
    found += [(device, seq) for device, seq in context.items() if device not in usual]
    return found if len(found) <= len(context) + 1 else [(own, 0), *context.items()]


def with_differences(
    heads: Sequence[Head], seen: Context, parts: Sequence[Iterable[tuple[bytes, int]] | None]
) -> Register:
    """Return the register whose contexts were kept as `context_differences` gives them; without any, they are not known."""
    if not parts:
        return Register(tuple(heads), seen)
    usual = _common_context(heads, seen)
    contexts: list[Context | None] = []
    for head, part in zip(heads, parts, strict=True):
        told = None if part is None else dict(part)
        contexts.append(
            None if told is None else _context_from_difference(usual, told, head.device) if told else usual
        )  # shared where it can be
    return build_register(zip(heads, contexts, strict=True), seen)


def _context_from_difference(usual: Context, told: Context, own: bytes) -> Context:
    context = told if own in told else {**usual, **told}
    return {device: seq for device, seq in context.items() if seq and device != own}


def join(a: Register, b: Register) -> Register:
    """Merge two registers: a head survives unless the other side has seen it and let it go."""
    if not a.seen:
        return b
    if not b.seen:
        return a
    if len(b.heads) == 1 and _covers_register(b, a):
        return b  # the common case: one write that had seen all that we have
    in_a, in_b = ({head.dot: context for head, context in zip(r.heads, contexts_of(r), strict=True)} for r in (a, b))
    writes = [
        (head, _join_contexts(in_a[head.dot], in_b[head.dot]) if head.dot in in_b else in_a[head.dot])
        for head in a.heads
        if head.dot in in_b or head.seq > b.seen.get(head.device, 0)
    ]
    writes += [
        (head, in_b[head.dot]) for head in b.heads if head.dot not in in_a and head.seq > a.seen.get(head.device, 0)
    ]
    return build_register(writes, union_contexts(a.seen, b.seen))


def union_contexts(a: Context, b: Context) -> dict[bytes, int]:
    """Return all that two contexts name: the larger of both, device by device."""
    made = dict(a)
    for device, seq in b.items():
        if seq > made.get(device, 0):
            made[device] = seq
    return made


def _join_contexts(a: Context | None, b: Context | None) -> Context | None:
    """Return the context of one head that two registers have: they differ where one does not know it, or a copy was made."""
    if a is None or b is None or a == b:
        return b if a is None else a
    return union_contexts(a, b)


def _covers_register(b: Register, a: Register) -> bool:
    head = b.heads[0]
    if head.seq <= a.seen.get(head.device, 0):
        return False
    seen = b.seen
    for device, seq in a.seen.items():  # noqa: SIM110 - a loop takes a third of the time, here where it counts
        if device not in seen or seq > seen[device]:
            return False
    return True
