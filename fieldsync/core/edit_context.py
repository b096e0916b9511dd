"""The context of an ordinary edit: the heads it covers and the commits it names. Pure; docs/architecture.md, "The algebra".

Two heads agree if their values are equal and neither has written over another person's commit that the other neither is nor
has written over. A register is open if two of its heads disagree: then an edit covers only what is the writer's own.
"""

from collections.abc import Mapping
from itertools import combinations

from msgspec import Struct

from fieldsync.core.register import Context, Dot, Head, Register, contexts_of, union_contexts
from fieldsync.core.settle import REOPENED, Person, Policy, are_in_sequence, heads_disagree, newest_head


class Editor(Struct, frozen=True):
    """The author of an edit: device, person of each device, the record's creating commit, and the device's last context.

    `last` is the context of the device's last commit to the field where the register does not include that commit.
    """

    device: bytes
    person: Person
    base: Dot | None = None
    last: Context = {}


def is_open(register: Register, policy: Policy, person: Person) -> bool:
    """Return whether a person has to decide before an ordinary edit may cover all heads; where contexts are unknown, yes."""
    heads = register.heads
    if any(is_reopened(head) for head in heads):
        return True
    if len(heads) < 2 or policy.merge in ALWAYS_SETTLED:
        return False
    if policy.merge == "furthest":
        return any(not are_in_sequence(a.value, b.value, policy) for a, b in combinations(heads, 2))
    writes = list(zip(heads, contexts_of(register), strict=True))
    if any(context is None for _, context in writes):
        return True
    return any(heads_disagree(a, b, policy, person) for a, b in combinations(writes, 2))


ALWAYS_SETTLED = frozenset({"set", "tally", "log", "greatest", "least"})
"""Policies under which no person decides."""


def is_reopened(head: Head) -> bool:
    """Return whether a head is an undone decision, which stands for several values without a choice."""
    return isinstance(head.value, dict) and REOPENED in head.value


def covered_heads(register: Register, policy: Policy, writer: Editor) -> tuple[Head, ...]:
    """Return the heads that an ordinary edit replaces."""
    if not is_open(register, policy, writer.person):
        return register.heads
    heads = [head for head in register.heads if not is_reopened(head)]
    me = writer.person(writer.device)
    mine = tuple(head for head in heads if writer.person(head.device) == me)
    if all(dot == writer.base or writer.person(dot[0]) == me for dot in register.seen.items()):
        return mine
    if policy.merge == "latest" and heads and not mine:
        return (newest_head(heads),)
    return tuple(head for head in mine if head.device == writer.device)


def edit_context(register: Register, covers: tuple[Head, ...], writer: Editor) -> Mapping[bytes, int]:
    """Return the context of an edit that replaces these heads: them, their contexts, and those of all others' heads."""
    if covers == register.heads:
        return union_contexts(register.seen, writer.last)
    contexts = contexts_of(register)
    replaced = {head.dot for head in covers}
    named: dict[bytes, int] = {}
    if any(context is None for context in contexts):  # 0.1 kept none: all that was seen, up to the heads that stay
        named = dict(register.seen)
        named.update((head.device, head.seq - 1) for head in register.heads if head.dot not in replaced)
    else:
        me = writer.person(writer.device)
        for head, context in zip(register.heads, contexts, strict=True):
            if head.dot in replaced:
                named = union_contexts(named, {**(context or {}), head.device: head.seq})
            elif writer.person(head.device) != me:
                named = union_contexts(named, context or {})
                if any(dot != writer.base for dot in (context or {}).items()):
                    named = union_contexts(
                        named, {head.device: head.seq - 1}
                    )  # what it names may name its device's earlier commits
    return {device: seq for device, seq in union_contexts(named, writer.last).items() if seq > 0}


def repeat_context(register: Register, head: Head) -> Mapping[bytes, int]:
    """Return the context of a head re-issued by another device: that head and its context."""
    contexts = zip(register.heads, contexts_of(register), strict=True)
    context = next((context for one, context in contexts if one.dot == head.dot), None)
    return {**(context or {}), head.device: head.seq}
