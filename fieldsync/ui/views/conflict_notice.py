"""A notice of fields in conflict when a record is edited: the current values, and the effect of an edit."""

from collections.abc import Sequence

from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.review.decisions import OpenConflict
from fieldsync.schema.model import Type
from fieldsync.store.contract import Row
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.tables import Tables


def warn_of_conflicts(out: Tables, node: Node, items: Sequence[OpenConflict]) -> None:
    """Show these conflicts with their values, and the note that an edit ends none; to a supervisor, what does."""
    if not items:
        return
    out.show_conflicts(node, items)
    out.say("open_edit_decider" if decisions.may_decide_somewhere(node) else "open_edit", record=items[0].code)


def conflicts_in(node: Node, record: str, fields: Sequence[str]) -> list[OpenConflict]:
    """Return the conflicts of a record in these fields."""
    return [item for item in decisions.conflicts_of(node, record) if item.field in fields]


def conflict_line(out: Tables, kind: Type, row: Row, field: str) -> str:
    """Return a field's conflicting values with their authors; "" without a conflict."""
    if field not in row.conflicts:
        return ""
    heads = sorted(decisions.chosen_from(row, field), key=lambda head: (head.stamp, head.device, head.seq))
    told = (f"{out.format_value(kind, field, head.value)} ({out.safe(head.author)})" for head in heads)
    return out.phrase("open_field", values=out.several(map(SafeText, told)))
