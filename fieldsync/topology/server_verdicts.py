"""Servers' verdicts on a laptop's saves: which servers quarantined a save, and which have applied it since.

A server tells its own verdicts only. Where a laptop goes on with another server that applies what its former one had quarantined,
the former one would have the last word for ever.
"""

from collections.abc import Iterator

import msgspec

from fieldsync import errors
from fieldsync.authority import quarantine
from fieldsync.replica.edit_coverage import WAITS_FOR_OTHERS
from fieldsync.replica.node import Node
from fieldsync.store import Tx
from fieldsync.topology import upstream

HEARD = "heard"  # up to which save a server has told this laptop all its verdicts


def take(node: Node, tx: Tx, server: bytes, seq: int, code: str, facts: str) -> None:
    """Take a server's verdict on one of this node's saves: why it is quarantined there, or with no code that it is applied after all."""
    if code:
        tx.refuse(node.device, seq, refusal(code, facts))
    else:
        tx.accept(node.device, seq, quarantine.facts_of(facts))
    if node.is_laptop:
        tx.note_verdict(node.device, seq, server, code)


def forget(node: Node, tx: Tx, server: bytes) -> None:
    """Forget what a server said of this node's saves in another life of its store: it tells anew all that it says now."""
    for seq, said in tx.verdicts(node.device).items():
        if server in said:
            tx.note_verdict(node.device, seq, server, "")
            if said.keys() <= {server, b""}:
                tx.accept(node.device, seq)


def take_back(node: Node, tx: Tx, server: bytes, upto: int) -> None:
    """Hear that a server has told all its verdicts on saves up to here: what it did not name it has applied.

    That ends what other servers said, unless they are above it; and, if these are not below it either, only that a save waits.
    """
    upstream.Told(server).put(tx, HEARD, upto)
    found = tx.verdicts(node.device)
    if not found:
        return
    servers = [one.id for one in tx.servers()]
    heard = {one: upstream.Told(one).get(tx, HEARD) for one in servers}
    above = {one: {id_ for id_, *_ in upstream.told_above(tx, one)} for one in servers}

    def ends(applied: bytes, other: bytes, code: str) -> bool:
        if other not in above or other in above[applied]:
            return False
        return applied in above[other] or code in WAITS_FOR_OTHERS

    for seq, said in found.items():
        applied = (one for one in servers if heard[one] >= seq and one not in said)
        if any(all(ends(one, other, code) for other, code in said.items()) for one in applied):
            tx.accept(node.device, seq)
            tx.forget_verdicts(node.device, seq)


def refusal(code: str, facts: str) -> errors.FieldsyncError:
    """Return the error that a server's words stand for."""
    kind = next((k for k in _all(errors.FieldsyncError) if k.code == code), errors.Refused)
    try:
        return kind(**msgspec.json.decode(facts, type=dict[str, object]))
    except (
        msgspec.MsgspecError,
        UnicodeError,
        RecursionError,
        TypeError,
    ):  # TypeError: a fact that is called `self`, say
        return kind()


def _all(kind: type[errors.FieldsyncError]) -> Iterator[type[errors.FieldsyncError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _all(below)
