"""State: all registers of one record, or those of them that somebody sends.

Most fields of most records were written once, by the commit that made the record. So a state is `base`, the write that
made it, with `values`, the fields whose register is exactly that write, and `fields`, every other register by name.
A set's member is the register `field/member`; while only the base wrote it, it stands in the list `values[field]`.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from fieldsync.core.register import EMPTY, Context, Dot, Head, Register, Value, build_register, contexts_of, join

Values = dict[str, Value]


class Base(NamedTuple):
    """The write that made a record."""

    device: bytes
    seq: int
    stamp: int
    author: str

    @property
    def dot(self) -> Dot:
        """The commit that it was: (device, seq)."""
        return self.device, self.seq


class State(NamedTuple):
    """Registers of one record (16-byte id); `base` is None in a part sent without it.

    `origins`, the value that a conflict's heads all started from, is for people to look at and no part of the algebra.
    """

    record: bytes
    type: str
    base: Base | None
    values: Values
    fields: dict[str, Register]
    origins: Mapping[str, Value] = MappingProxyType({})


def field_of(name: str) -> str:
    """Return the field that a register belongs to: `needs` for `needs/food`."""
    return name.partition("/")[0]


def register_of(state: State, name: str) -> Register:
    """Return a field's (or member's) register; EMPTY when nobody wrote it."""
    register = state.fields.get(name)
    if register is not None:
        return register
    if state.base is None:
        return EMPTY
    field, slash, member = name.partition("/")
    value = state.values.get(field)
    if slash:
        value = True if isinstance(value, list) and member in map(str, value) else None
    elif isinstance(value, list):
        value = None  # its members are registers, itself is none
    return EMPTY if value is None else _base_register(state.base, value)


def _base_register(base: Base, value: Value) -> Register:
    return Register((Head(*base, value),), {base.device: base.seq})


def registers(state: State) -> dict[str, Register]:
    """Return every register of the state by name, the base's among them."""
    everything = dict(state.fields)
    if state.base is not None:
        for field, value in state.values.items():
            if isinstance(value, list):
                for member in value:
                    everything[f"{field}/{member}"] = _base_register(state.base, True)
            else:
                everything[field] = _base_register(state.base, value)
    return everything


def state_from_registers(
    record: bytes, type: str, base: Base | None, everything: Iterable[tuple[str, Register]]
) -> State:
    """Build the one state that holds these registers: what only the base wrote goes into `values`."""
    values: Values = {}
    fields: dict[str, Register] = {}
    for name, register in sorted(everything):
        only = register.heads[0] if len(register.heads) == 1 else None
        if (
            base is None
            or only is None
            or only.dot != base.dot
            or register.contexts
            or register.seen != {base.device: base.seq}
        ):
            fields[name] = register
        elif "/" not in name and only.value is not None:
            values[name] = only.value
        elif only.value is True and isinstance(members := values.setdefault(field_of(name), []), list):
            members.append(name.partition("/")[2])
        else:
            fields[name] = register
    return State(record, type, base, values, fields)


def join_states(ours: State, theirs: State) -> tuple[State, set[str]]:
    """Join two states of one record; also return the names of the registers that changed in ours."""
    if theirs.base is not None and theirs.base != ours.base:
        return _merge_bases(ours, theirs)
    changed: set[str] = set()
    values, fields = ours.values, ours.fields
    for name, register in theirs.fields.items():
        if name not in ours.fields and _follows_base(register, ours.base):
            joined = register
        else:
            mine = register_of(ours, name)
            joined = join(mine, register)
            if joined == mine:
                continue
        if not changed:
            values, fields = dict(values), dict(fields)
        changed.add(name)
        fields[name] = joined
        _drop_base_value(values, name)
    return State(ours.record, ours.type, ours.base, values, fields), changed


def join_all_states(states: Sequence[State]) -> State:
    """Join many states of one record, pair by pair: one by one, each would be compared with all before it."""
    while len(states) > 1:
        pairs = [states[i : i + 2] for i in range(0, len(states), 2)]
        states = [join_states(*pair)[0] if len(pair) == 2 else pair[0] for pair in pairs]
    return states[0]


def _follows_base(register: Register, base: Base | None) -> bool:
    """Return whether a register is one write that had seen the base: the common case, and no need to look further."""
    if base is None or len(register.heads) != 1 or register.seen.get(base.device, 0) < base.seq:
        return False
    head = register.heads[0]
    return head.device != base.device or head.seq > base.seq


def split_state(state: State) -> list[State]:
    """Cut a state in two that join to it again, its base first; nothing if it is one register already."""
    names = sorted(state.fields)
    if state.base is not None and names:
        return [state._replace(fields={}), state._replace(base=None, values={})]
    middle = len(names) // 2
    if not middle:
        return []
    return [state._replace(fields={n: state.fields[n] for n in part}) for part in (names[:middle], names[middle:])]


def _drop_base_value(values: Values, name: str) -> None:
    """Remove a value from the base's values, as a register replaces it now."""
    value = values.get(name)
    if value is not None and not isinstance(value, list):
        del values[name]
    elif "/" in name:
        field, _, member = name.partition("/")
        members = values.get(field)
        if isinstance(members, list):
            values[field] = [m for m in members if str(m) != member]
            if not values[field]:
                del values[field]


def _merge_bases(ours: State, theirs: State) -> tuple[State, set[str]]:
    """Join with a new base: an edit that arrived before it, or one id created twice (the smaller dot is the base)."""
    assert theirs.base is not None
    base = theirs.base if ours.base is None else min(ours.base, theirs.base)
    mine, other = registers(ours), registers(theirs)
    joined = {name: join(mine.get(name, EMPTY), other.get(name, EMPTY)) for name in mine.keys() | other.keys()}
    changed = {name for name, register in joined.items() if register != mine.get(name, EMPTY)}
    return state_from_registers(ours.record, ours.type, base, joined.items()), changed


def project_state(state: State, fields: Container[str]) -> State:
    """Return the projection of a state for a unit with which these fields are shared.

    It has no base: what one base wrote is all there or none of it, and here more of it may be shared later. But a record
    of that unit's own (`_unit` is among the fields) keeps the base that it has over there.
    """
    if "_unit" in fields:
        values = {name: value for name, value in state.values.items() if name in fields}
        kept = {name: register for name, register in state.fields.items() if field_of(name) in fields}
        return State(state.record, state.type, state.base, values, kept)
    kept = {name: register for name, register in registers(state).items() if field_of(name) in fields}
    return State(state.record, state.type, None, {}, kept)


def without_heads_behind(state: State, over: Mapping[bytes, int]) -> State:
    """Return a state without the heads that devices wrote behind a number of theirs."""
    if not any(device in over and seq > over[device] for device, seq in head_dots(state)):
        return state
    kept: list[tuple[str, Register]] = []
    for name, register in registers(state).items():
        writes = [
            (head, None if context is None else _up_to(context, over))
            for head, context in zip(register.heads, contexts_of(register), strict=True)
            if head.seq <= over.get(head.device, head.seq)
        ]
        if writes:
            kept.append((name, build_register(writes, _up_to(register.seen, over))))
    base = state.base if state.base is None or state.base.seq <= over.get(state.base.device, state.base.seq) else None
    return state_from_registers(state.record, state.type, base, kept)


def _up_to(context: Context, over: Mapping[bytes, int]) -> Context:
    return {device: min(seq, over.get(device, seq)) for device, seq in context.items()}


def head_dots(state: State) -> set[Dot]:
    """Return the dots of all heads."""
    found = {head.dot for register in state.fields.values() for head in register.heads}
    if state.base is not None and state.values:
        found.add(state.base.dot)
    return found


def newest_write(state: State) -> Head | Base | None:
    """Return the newest write among the heads (None for an empty state)."""
    heads: list[Head | Base] = [head for register in state.fields.values() for head in register.heads]
    if state.base is not None:
        heads.append(state.base)
    return max(heads, key=lambda h: (h.stamp, h.device, h.seq), default=None)


def digest_term(state: State) -> int:
    """Return the record's part of its channel's digest: 64 bits over its id, its base and the dots of its other heads.

    Heads determine what was seen, so equal terms mean equal registers.
    """
    parts = [state.record]
    base = None
    if state.base is not None:
        base = state.base.dot
        parts += (state.base.device, state.base.seq.to_bytes(8, "big"))
    for name, register in sorted(state.fields.items()):
        heads = register.heads
        if len(heads) == 1 and heads[0][:2] == base:
            continue  # the base says it
        parts.append(name.encode() + b"\0")
        for head in heads:
            parts += (head[0], head[1].to_bytes(8, "big"))
    return int.from_bytes(blake2b(b"".join(parts), digest_size=8).digest(), "big")


def canonical_bytes(state: State) -> bytes:
    """Return the registers as bytes that two nodes with the same commits share exactly."""
    return msgspec.msgpack.encode(
        [
            state.record,
            [
                (
                    name,
                    [tuple(head) for head in register.heads],
                    sorted(register.seen.items()),
                    [None if context is None else sorted(context.items()) for context in register.contexts],
                )
                for name, register in sorted(registers(state).items())
            ],
        ],
    )
