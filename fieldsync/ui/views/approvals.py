"""Views of pending approvals."""

from collections.abc import Sequence

from fieldsync.casework.approvals import CLOSURE, EVENT, ApprovedMany, PendingApproval
from fieldsync.replica.node import Node
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.record_card import local_time
from fieldsync.ui.views.tables import Tables


def listed(out: Tables, node: Node, found: Sequence[PendingApproval]) -> None:
    """A line for each."""
    out.use_node(node)
    if not found:
        out.say("approvals_none")
        return
    head = [
        out.phrase(word)
        for word in ("column_code", "column_about", "column_asks", "column_by", "column_since", "column_unit")
    ]
    out.table_or_lines(head, [_cells(out, node, one) for one in found], whole={0})


def approved(out: Tables, node: Node, done: ApprovedMany) -> None:
    """The approvals of a save or dry run."""
    listed(out, node, done.items)
    if done.items:
        out.say("would_approve" if done.dry_run else "approved_many", n=len(done.items))


def asked_for(out: Tables, node: Node, one: PendingApproval) -> SafeText:
    """The requested approval in words: its kind, and the goal, reason or event."""
    kind = node.schema.types.get(one.type)
    field = {CLOSURE: "closure_reason", EVENT: "kind"}.get(one.kind)
    what = out.format_value(kind, field, one.what) if field is not None and one.what else out.safe(one.what or "")
    return SafeText(": ".join(part for part in (out.phrase(f"approval_{one.kind}"), what) if part))


def _cells(out: Tables, node: Node, one: PendingApproval) -> list[object]:
    since = local_time(one.since) if one.since else ""
    return [one.code or one.record[:8], one.about or "", asked_for(out, node, one), one.by or "", since, one.unit]
