"""This laptop's saves that a server refused: listed until their author clears them; nothing is deleted."""

from collections.abc import Collection

from msgspec import Struct

from fieldsync import errors
from fieldsync.authority.quarantine import QuarantinedSave, QuarantineSelection, list_quarantined
from fieldsync.replica.node import Node


class ClearedRefusals(Struct, frozen=True):
    """The cleared refusals.

    cleared: the names of the saves, DEVICE:SEQ.
    left: the number still listed.
    """

    cleared: list[str]
    left: int


def list_refused(node: Node) -> list[QuarantinedSave]:
    """Return this node's own saves that a server did not apply, without the cleared ones."""
    with node.store.read() as tx:
        cleared = {seq for seq, code, _ in tx.refusals(node.device) if tx.settings.cleared_refusals[str(seq)] == code}
    return [
        one
        for one in list_quarantined(node, QuarantineSelection())
        if one.device == node.letters and one.seq not in cleared and one.code
    ]


def clear_refused(node: Node, saves: Collection[str] = ()) -> ClearedRefusals:
    """Clear these saves, or all if none are named; one refused for another reason is listed again. NotFound."""
    listed = list_refused(node)
    known = {one.save: one for one in listed} | {str(one.seq): one for one in listed}
    for name in saves:
        if name not in known:
            raise errors.NotFound(what="refused_save", reason="refused_save", name=name)
    chosen = [known[name] for name in dict.fromkeys(saves)] if saves else listed
    with node.store.write() as tx:
        for one in chosen:
            tx.settings.cleared_refusals[str(one.seq)] = one.code or ""
    names = sorted({one.save for one in chosen})
    return ClearedRefusals(names, len(listed) - len(names))
