"""A record's row ↔ its state: the document as JSON, the registers as a few bytes with local numbers for devices and authors.

registers = msgpack [base | nil, {name: [arrival, heads, seen]}]; base = [device, seq, stamp, author, arrival];
a head = [device, seq, stamp, author] with its value behind it unless the document shows it; seen = the pairs beyond the heads.
Where another program wrote one name both as a set and as a plain field, a third part holds what the document hides of the base.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from fieldsync.core.register import Head, Register
from fieldsync.core.state import Base, State, field_of
from fieldsync.store.contract import Document, Row

dump_json = msgspec.json.Encoder().encode
load_json = msgspec.json.Decoder(dict[str, Any]).decode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


def encode_registers(row: Row, device: Callable[[bytes], int], author: Callable[[str], int]) -> bytes:
    """Return the registers' bytes; `device` and `author` give local numbers."""
    state, arrivals, doc = row.state, row.arrivals, row.doc
    base = state.base
    head = (
        None if base is None else (device(base.device), base.seq, base.stamp, author(base.author), arrivals.get("", 0))
    )
    fields = {}
    for name, register in state.fields.items():
        heads: list[tuple[Any, ...]] = []
        seen: list[int] = []
        own: dict[bytes, int] = {}
        plain = len(register.heads) == 1 and "/" not in name
        for by, seq, stamp, who, value in register.heads:
            own[by] = seq
            short = (device(by), seq, stamp, author(who))
            heads.append(short if plain and value is not None and doc.get(name) == value else (*short, value))
        for by, seq in register.seen.items():
            if own.get(by) != seq:
                seen += (device(by), seq)
        fields[name] = (arrivals.get(name, 0), heads, seen)
    if not fields:
        return _pack((head, fields))
    # what the document cannot tell of the base: a set or a plain field that another program wrote as the other
    hidden = {name: state.values[name] for name in state.values.keys() & {field_of(name) for name in fields}}
    hidden = {name: value for name, value in hidden.items() if name in fields or not isinstance(value, list)}
    return _pack((head, fields, hidden) if hidden else (head, fields))


def decode_row(
    n: int,
    record: bytes,
    type: str,
    doc: str,
    registers: bytes,
    devices: Callable[[int], bytes],
    authors: Callable[[int], str],
) -> Row:
    """Return the row with its state rebuilt from the document and the registers."""
    document: Document = load_json(doc)
    head, packed, *hidden = _unpack(registers)
    arrivals = {}
    base = None
    if head is not None:
        base = Base(devices(head[0]), head[1], head[2], authors(head[3]))
        arrivals[""] = head[4]
        if not packed:  # most records: nothing but the base's values
            return Row(n, State(record, type, base, document, {}), document, arrivals)
    fields: dict[str, Register] = {}
    members: dict[str, set[str]] = {}
    values = {} if base is None else {k: v for k, v in document.items() if k not in packed}
    for name, (arrival, heads, seen) in packed.items():
        arrivals[name] = arrival
        found = tuple(
            Head(devices(h[0]), h[1], h[2], authors(h[3]), h[4] if len(h) == 5 else document.get(name)) for h in heads
        )
        everything = {h.device: h.seq for h in found}
        for i in range(0, len(seen), 2):
            everything[devices(seen[i])] = seen[i + 1]
        fields[name] = Register(found, everything)
        field, slash, member = name.partition("/")
        if slash:
            members.setdefault(field, set()).add(member)
    for field, explicit in members.items():
        shown = values.pop(field, None)
        # what the document shows of a set beyond its explicit members is the base's; a tally's sum and a log are not
        if isinstance(shown, list) and all(isinstance(m, str) for m in shown):
            rest = [m for m in shown if m not in explicit]
            if rest:
                values[field] = rest
    for values_ in hidden:
        values |= values_
    return Row(n, State(record, type, base, values, fields), document, arrivals)
