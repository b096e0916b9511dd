"""A record's row ↔ its state: the document as JSON, the registers as a few bytes with local numbers for devices and authors.

registers = msgpack [base | nil, plain, others, hidden?]; base = [device, seq, stamp, author, arrival].
plain = one [arrival, device, seq, stamp, author, seen, names] for the fields that one write set and the document shows;
others = {name: [arrival, heads, seen, contexts?]} with a head = [device, seq, stamp, author, value]; seen = the pairs beyond the
heads; contexts = for each head where its context differs from `seen` without the heads' devices (device, seq …; 0 for none), or nil.
hidden = values of the base that the document lacks, where another program wrote one name both as a set and as a plain field.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from fieldsync.core.register import Head, Register, context_differences, with_differences
from fieldsync.core.state import Base, State, field_of
from fieldsync.store.contract import Document, Row

dump_json = msgspec.json.Encoder().encode
load_json = msgspec.json.Decoder(dict[str, Any]).decode
load_several = msgspec.json.Decoder(list[Any]).decode
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode


def encode_registers(row: Row, device: Callable[[bytes], int], author: Callable[[str], int]) -> bytes:
    """Return the registers' bytes; `device` and `author` give local numbers."""
    state, arrivals, doc = row.state, row.arrivals, row.doc
    base = state.base
    head = (
        None if base is None else (device(base.device), base.seq, base.stamp, author(base.author), arrivals.get("", 0))
    )
    if not state.fields:
        return _pack((head, (), {}))
    written: dict[tuple[Any, ...], tuple[Mapping[bytes, int], list[Any]]] = {}
    others = {}
    for name, register in state.fields.items():
        heads, seen, contexts = register
        arrival = arrivals.get(name, 0)
        if len(heads) == 1 and "/" not in name and not contexts:
            by, seq, stamp, who, value = heads[0]
            if value is not None and doc.get(name) == value:
                key = arrival, by, seq, stamp, who
                group = written.get(key)
                if group is None:
                    beyond = _context_pairs(seen, {by: seq}, device)
                    group = written[key] = seen, [arrival, device(by), seq, stamp, author(who), beyond, []]
                if group[0] is seen or group[0] == seen:
                    group[1][6].append(name)
                    continue
        if len(heads) == 1 and len(seen) == 1 and not contexts and heads[0][0] in seen:
            by, seq, stamp, who, value = heads[0]  # an entry of a log, one of thousands
            n = device(by)
            beyond = [] if seen[by] == seq else [n, seen[by]]
            others[name] = arrival, ((n, seq, stamp, author(who), value),), beyond
            continue
        packed = [(device(by), seq, stamp, author(who), value) for by, seq, stamp, who, value in heads]
        parts: tuple[Any, ...] = (arrival, packed, _context_pairs(seen, {one.device: one.seq for one in heads}, device))
        if contexts:
            parts += (
                [
                    None if found is None else [n for by, seq in found for n in (device(by), seq)]
                    for found in context_differences(register)
                ],
            )
        others[name] = parts
    plain = [group for _, group in written.values()]
    if not others and state.values.keys().isdisjoint(state.fields):
        return _pack((head, plain, others))
    # what the document cannot tell of the base: a set or a plain field that another program wrote as the other
    hidden = {name: state.values[name] for name in state.values.keys() & {field_of(name) for name in state.fields}}
    hidden = {name: value for name, value in hidden.items() if name in state.fields or not isinstance(value, list)}
    return _pack((head, plain, others, hidden) if hidden else (head, plain, others))


def _context_pairs(seen: Mapping[bytes, int], own: Mapping[bytes, int], device: Callable[[bytes], int]) -> list[int]:
    return [part for by, seq in seen.items() if own.get(by) != seq for part in (device(by), seq)]


def decode_row(
    n: int,
    record: bytes,
    type: str,
    doc: bytes | str,
    registers: bytes,
    devices: Callable[[int], bytes],
    authors: Callable[[int], str],
) -> Row:
    """Return the row with its state rebuilt from the document and the registers."""
    document: Document = load_json(doc)
    head, plain, others, *hidden = _unpack(registers)
    arrivals = {}
    base = None
    if head is not None:
        base = Base(devices(head[0]), head[1], head[2], authors(head[3]))
        arrivals[""] = head[4]
        if not plain and not others:  # most records: nothing but the base's values
            return Row(n, State(record, type, base, document, {}), document, arrivals)
    fields: dict[str, Register] = {}
    members: dict[str, set[str]] = {}
    for arrival, device, seq, stamp, author, pairs, names in plain:
        by, who = devices(device), authors(author)
        seen = _context_of_pairs({by: seq}, pairs, devices)
        for name in names:
            arrivals[name] = arrival
            fields[name] = Register((Head(by, seq, stamp, who, document.get(name)),), seen)
    for name, (arrival, heads, pairs, *contexts) in others.items():
        arrivals[name] = arrival
        field, slash, member = name.partition("/")
        if slash:
            if field not in members:
                members[field] = set()
            members[field].add(member)
        if len(heads) == 1 and not pairs and not contexts:
            n_by, seq, stamp, n_who, value = heads[0]
            by = devices(n_by)
            fields[name] = Register((Head(by, seq, stamp, authors(n_who), value),), {by: seq})
            continue
        found = tuple(Head(devices(h[0]), h[1], h[2], authors(h[3]), h[4]) for h in heads)
        seen = _context_of_pairs({h.device: h.seq for h in found}, pairs, devices)
        parts = (
            [None if flat is None else _context_of_pairs({}, flat, devices).items() for flat in contexts[0]]
            if contexts
            else ()
        )
        fields[name] = with_differences(found, seen, parts)
    values = {} if base is None else {k: v for k, v in document.items() if k not in fields}
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


def _context_of_pairs(own: dict[bytes, int], pairs: Sequence[int], devices: Callable[[int], bytes]) -> dict[bytes, int]:
    for i in range(0, len(pairs), 2):
        own[devices(pairs[i])] = pairs[i + 1]
    return own
