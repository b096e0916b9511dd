"""Tables of actions that can be undone, and of undone ones."""

from collections.abc import Mapping, Sequence

from fieldsync.replica.node import Node
from fieldsync.review.undo import DoneAct, UndoneAct
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.record_card import INDENT, local_time
from fieldsync.ui.views.tables import Tables


def listed(out: Tables, node: Node, acts: Sequence[DoneAct]) -> None:
    """A line for each act."""
    if not acts:
        out.say("undo_nothing")
    for act in acts:
        described(out, node, act)


def described(out: Tables, node: Node, act: DoneAct) -> None:
    """When it was done, to how many records of which types, and to which."""
    parts = [
        out.phrase(words, counts=_counts(out, node, counts))
        for words, counts in (("undo_made", act.made), ("undo_changed", act.changed))
        if counts
    ]
    more = sum(act.made.values()) + sum(act.changed.values()) - len(act.records)
    records = out.several([*act.records, *(["…"] if more > 0 else [])])
    note = [out.safe(act.note)] if act.note else []
    out.line(SafeText("  ".join([local_time(act.at), *parts, records, *note])))


def undone(out: Tables, node: Node, done: UndoneAct) -> None:
    """The undone action, and the parts of it that were left."""
    out.say("undone")
    described(out, node, done.act)
    for one in done.left:
        field = f" ({one.field})" if one.field else ""
        out.line(f"{INDENT}⚠ {one.record}{field}: " + out.phrase(f"undo_left_{one.reason}"))


def _counts(out: Tables, node: Node, counts: Mapping[str, int]) -> SafeText:
    return out.several(f"{out.type_label(node, name)} {n}" for name, n in counts.items())
