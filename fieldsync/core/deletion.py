"""A deletion says what it had seen of each register, so that a write which it had not seen keeps the record.

Value of `_deleted`: {"reason", "saw": {device in hex: seq}, "registers": {name: {device in hex: seq}}, "same"?: [record]}.

`registers` has the heads of each register, and under "" the commit that made the record: of a register it was seen, whatever was there.
`saw` has the highest number of each device, for 0.1, which wrote nothing else: between two commits of one device that were seen,
one may have been quarantined. `same` are the records that were merged into it (replica/merge_arrivals.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from fieldsync.core.register import Dot, Head, Register, Value
from fieldsync.core.state import State, head_dots, register_of, registers

TAKEN_BACK = "↶"
"""How the reason of a deletion begins by which somebody took back that the record was made."""
DELETED, SAW, REGISTERS = "_deleted", "saw", "registers"
_Seen = Mapping[str, int]


def deletion_value(reason: str, state: State, same: Sequence[str] = ()) -> dict[str, object]:
    """Return the value of a deletion of a record as it is here; `same` are the records that were merged into it by then."""
    seen: dict[str, object] = {
        name: _group_numbers(head.dot for head in register.heads) for name, register in sorted(state.fields.items())
    }
    if state.base is not None:
        seen[""] = _group_numbers([state.base.dot])
    told: dict[str, object] = {"reason": reason, SAW: _group_numbers(sorted(head_dots(state))), REGISTERS: seen}
    return told | ({"same": list(same)} if same else {})


def _group_numbers(found: Iterator[Dot] | list[Dot]) -> dict[str, object]:
    return {device.hex(): seq for device, seq in found}  # in order: a device's last is its highest


def is_deletion(value: object) -> bool:
    """Return whether a value of `_deleted` has its parts, 0.1's or these."""
    match value:
        case {"reason": str(), "saw": dict(saw), **more}:
            of_registers = more.get(REGISTERS, {})
            return isinstance(of_registers, dict) and all(map(_is_seen, [saw, *of_registers.values()]))
    return False


def _is_seen(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    try:
        return all(type(seq) is int and bytes.fromhex(device).hex() == device for device, seq in value.items())
    except (TypeError, ValueError):
        return False


def seen_by_deletion(value: Value) -> dict[bytes, int]:
    """Return the highest number of each device in a deletion's context, over all registers."""
    if not isinstance(value, dict):
        return {}
    by_register, found = value.get(REGISTERS), dict[bytes, int]()
    for seen in (value.get(SAW), *(by_register.values() if isinstance(by_register, dict) else ())):
        for device, seq in seen.items() if isinstance(seen, dict) and _is_seen(seen) else ():
            key = bytes.fromhex(device)
            found[key] = max(seq, found.get(key, 0))
    return found


def unseen_by_deletions(state: State, present: Callable[[str], str] = str) -> Iterator[tuple[str, Head]]:
    """Yield (register, head) of surviving values outside a deletion's context; `present` gives registers' present names."""
    deletions = [head for head in state.fields[DELETED].heads if isinstance(head.value, dict)]
    own = {head.dot for head in deletions}
    told = [_seen_lookup(head.value, present) for head in deletions]
    base = state.base.dot if state.base is not None else None
    for name, register in registers(state).items():
        for head in register.heads:
            # what covered the base's write may still be on its way
            told_of = (name, "") if head.dot == base else (name,)
            device = head.device.hex()
            if head.dot not in own and any(
                all(head.seq > seen(one).get(device, 0) for one in told_of) for seen in told
            ):
                yield name, head


def unseen_by_deletion(deletion: Head, state: State, present: Callable[[str], str] = str) -> Iterator[tuple[str, Head]]:
    """Yield (register, head) of surviving values outside one deletion's context, except deletions'; none if it is invalid."""
    if not isinstance(deletion.value, dict):
        return
    deletions = {
        head.dot for head in register_of(state, DELETED).heads
    }  # a decision to delete also says what it decided
    only = state._replace(fields={**state.fields, DELETED: Register((deletion,), {deletion.device: deletion.seq})})
    yield from (
        (name, head)
        for name, head in unseen_by_deletions(only, present)
        if name != DELETED and head.dot not in deletions
    )


def has_seen(value: Value, name: str, dot: Dot, present: Callable[[str], str] = str) -> bool:
    """Return whether a deletion had seen a write of a register."""
    return isinstance(value, dict) and dot[1] <= _seen_lookup(value, present)(name).get(dot[0].hex(), 0)


def with_repeated(
    value: Value, repeated: Mapping[str, Mapping[Dot, Dot]], present: Callable[[str], str] = str
) -> Value:
    """Return a deletion whose context also has the writes re-issued by another device: register → {write: re-issued write}."""
    if not isinstance(value, dict):
        return value
    told, by_register, saw = _seen_lookup(value, present), value.get(REGISTERS), value.get(SAW)
    highest = dict(saw) if isinstance(saw, dict) else {}
    of_all = {"": dict(highest)}  # 0.1's: what it says of all registers
    made = {present(name): seen for name, seen in by_register.items()} if isinstance(by_register, dict) else of_all
    changed = False
    for name, writes in repeated.items():
        for write, (device, seq) in writes.items():
            if has_seen(value, name, write, present):
                made[name] = {**made.get(name, told(name)), device.hex(): seq}
                highest[device.hex()] = max(seq, highest.get(device.hex(), 0))
                changed = True
    return value | {SAW: dict(sorted(highest.items())), REGISTERS: made} if changed else value


def _seen_lookup(value: Value, present: Callable[[str], str]) -> Callable[[str], _Seen]:
    """Return a deletion's context of a register."""
    assert isinstance(value, dict)
    by_register = value.get(REGISTERS)
    if not isinstance(by_register, dict):
        saw = value.get(SAW)
        record = saw if isinstance(saw, dict) else {}
        return lambda _name: record
    renamed: dict[str, _Seen] = {present(name): seen for name, seen in by_register.items()}
    return lambda name: renamed.get(name) or renamed.get("", {})
