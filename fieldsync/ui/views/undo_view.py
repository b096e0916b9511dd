"""Tables of actions that can be undone, and of undone ones."""

from collections.abc import Mapping, Sequence

from fieldsync import errors
from fieldsync.casework import titles
from fieldsync.replica import queries
from fieldsync.replica.node import Node
from fieldsync.review.undo import DoneAct, NotUndone, UndoneAct
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
    removed = act.removed or {}
    changed = {name: n - removed.get(name, 0) for name, n in act.changed.items() if n > removed.get(name, 0)}
    parts = [
        out.phrase(words, n=sum(counts.values()), types=_types(out, node, counts))
        for words, counts in (("undo_made", act.made), ("undo_changed", changed), ("undo_removed", removed))
        if counts
    ]
    more = sum(act.made.values()) + sum(act.changed.values()) - len(act.records)
    names = titles.names_of(node, act.records)
    shown = (SafeText(" ".join([code, *_name(out, names, code)])) for code in act.records)
    records = out.several([*shown, *(["…"] if more > 0 else [])])
    note = [out.safe(act.note)] if act.note else []
    out.line(SafeText("  ".join([local_time(act.at), *parts, records, *note])))


def undone(out: Tables, node: Node, done: UndoneAct) -> None:
    """The undone action, and the parts of it that were left."""
    out.say("undone")
    described(out, node, done.act)
    names = titles.names_of(node, (one.record for one in done.left))
    for one in done.left:
        field = f" ({out.safe(_label(out, node, one))})" if one.field else ""
        record = " ".join([one.record, *_name(out, names, one.record)])
        out.line(f"{INDENT}⚠ {record}{field}: " + out.phrase(f"undo_left_{one.reason}"))


def _types(out: Tables, node: Node, counts: Mapping[str, int]) -> SafeText:
    """What types the records are of; of several how many of each."""
    return out.counts(node, counts) if len(counts) > 1 else out.several(out.type_label(node, name) for name in counts)


def _name(out: Tables, names: Mapping[str, str], record: str) -> list[SafeText]:
    return [out.safe(names[record])] if record in names else []


def _label(out: Tables, node: Node, one: NotUndone) -> str:
    """A field that was left, in words where its record is here to say of what type it is."""
    try:
        kind = node.schema.types.get(queries.show(node, one.record).type)
    except errors.NotFound:
        kind = None
    return out.label(kind, one.field or "")
