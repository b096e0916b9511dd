"""Registers with refused commits: removes the refused values from a node's registers, as a join alone would keep them for ever.

A branch has applied commits that its upstream refuses; a laptop its own saves, and others' that it got from another server.
A join cannot restore values that a refused commit covered: the registers are rebuilt from the other commits in the log, and
joined with the server's.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from fieldsync.core.commit import decode_stored, state_of
from fieldsync.core.register import Dot
from fieldsync.core.state import State, join_all_states, register_of, registers, state_from_registers
from fieldsync.core.units import SHARED
from fieldsync.replica.edit_coverage import WAITS_FOR_OTHERS
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx
from fieldsync.store.contract import Row
from fieldsync.topology.server_verdicts import OPEN_CODES
from fieldsync.wire.messages import Ask

# with these the upstream server may keep a commit that waits there
_MAY_WAIT = WAITS_FOR_OTHERS | OPEN_CODES


def without_refused(
    tx: ReadTx, node: Node, rows: Mapping[bytes, Row], fetched: Sequence[State], told: Mapping[bytes, Sequence[Dot]]
) -> dict[bytes, State | None]:
    """Return the states to keep of records that contain refused writes; None if there are none.

    `fetched`: what the server has of them; `told`: what it has refused about them.
    """
    found: dict[bytes, State | None] = {}
    parts: dict[bytes, list[State]] = {}
    for state in fetched:
        parts.setdefault(state.record, []).append(state)
    for record, row in rows.items():
        dots = told.get(record, ())
        if not dots and not tx.verdicts_on_record(record):
            continue
        ours, theirs = row.state, join_all_states(parts[record]) if record in parts else None
        refused, left = _refused_and_left(tx, node, ours)
        made = any(one.base is not None and one.base == ours.base for one in refused)
        made = made or (theirs is None and ours.base is not None and ours.base.dot in dots)
        names = set[str]().union(*map(registers, refused), _written_by(ours, dots, theirs))
        if made or names:
            found[record] = _remade_state(ours, None if made else names, left, there=theirs is not None)
    return found


def _refused_and_left(tx: ReadTx, node: Node, ours: State) -> tuple[list[State], list[State]]:
    """Return the state of a record's refused commits that it contains, and that of the others."""
    refused: list[State] = []
    left: list[State] = []
    codes = cache(lambda device: {seq: code for seq, code, _ in tx.refusals(device)})
    for logged in tx.commits_of(ours.record):
        said = logged.commit()
        if said is None:
            continue
        state = node.rules.upgrade_state(state_of(said))
        code = codes(logged.device).get(logged.seq)
        # a server applies nothing that it quarantines itself
        if code is None or node.is_laptop or _includes(ours, state, (logged.device, logged.seq)):
            (left if code is None or code in WAITS_FOR_OTHERS else refused).append(state)
    return refused, left


def _includes(state: State, commit: State, dot: Dot) -> bool:
    """Return whether a state includes a commit's writes."""
    return all(register_of(state, name).seen.get(dot[0], 0) >= dot[1] for name in registers(commit))


def _written_by(ours: State, refused: Sequence[Dot], theirs: State | None) -> set[str]:
    """Return the registers that include commits which the server has refused, and in which it has not seen them."""
    if not refused:
        return set()
    seen = {name: {} if theirs is None else register_of(theirs, name).seen for name in registers(ours)}
    return {
        name
        for name, register in registers(ours).items()
        if any(register.seen.get(device, 0) >= seq > seen[name].get(device, 0) for device, seq in refused)
    }


def _remade_state(ours: State, names: set[str] | None, left: list[State], *, there: bool) -> State | None:
    """Return our state of a record with these registers (None: all, as what made it was refused) from commits that were not refused.

    `there`: the server has the record.
    """
    rest = join_all_states(left) if left else None
    if names is None:
        return rest if there or (rest is not None and rest.base is not None) else None
    kept = {name: register for name, register in registers(ours).items() if name not in names}
    if rest is not None:
        kept |= {name: register for name, register in registers(rest).items() if name in names}
    # without a base, as a join takes from a state with the same one nothing that only the base wrote
    return state_from_registers(ours.record, ours.type, None if there else ours.base, kept.items())


# --- the server's side ------------------------------------------------------------------------------------------------


def refused_commits(tx: ReadTx, channel: int, ask: Ask) -> list[tuple[bytes, bytes, int]]:
    """Return (record, device, number) of refused commits about wanted records: of the channel, or that were to be made in its unit.

    Among them those that wait for a person at the top: until then no server has applied them.
    """
    if not ask.want or ask.unit.endswith(SHARED):
        return []
    top = tx.settings.upstream is None
    return [
        (one.record, one.device, one.seq)
        for one in tx.refused_about(channel, ask.want)
        if (one.code in OPEN_CODES and (top or one.above) if one.waits else one.code not in _MAY_WAIT)
        and (one.here or _is_made_in(ask.unit, one.body))
    ]


def _is_made_in(unit: str, body: bytes | None) -> bool:
    said = None if body is None else decode_stored(body)
    return said is not None and said.fields.get("_unit") == unit
