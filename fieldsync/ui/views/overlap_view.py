"""Overlaps of a household for display."""

from collections.abc import Sequence

from fieldsync.replica.node import Node
from fieldsync.review.assistance_overlaps import Overlap, OverlapSide, RecordOverlap
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Type
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.record_card import INDENT, local_time
from fieldsync.ui.views.tables import Tables

_WHO = "provider"


def listed(out: Tables, node: Node, found: Sequence[Overlap]) -> None:
    """Each pair in three lines: which household and what, then the two."""
    out.use_node(node)
    if not found:
        out.say("overlaps_none")
        return
    for one in found:
        kind = node.schema.types[one.type]
        agreed = out.several(out.format_value(kind, name, value) for name, value in one.values.items())
        label = label_in(kind.doubles[one.rule].label, out.lang, one.rule)
        out.line("  ".join(part for part in (out.format_reference(one.household), out.safe(label), agreed) if part))
        for side in (one.a, one.b):
            out.line(INDENT + _side(out, kind, side))
    out.say("overlaps_n", n=len(found))


def warned(out: Tables, node: Node, type: str, found: Sequence[RecordOverlap]) -> None:
    """A record's overlaps, worded as known on this node."""
    out.use_node(node)
    kind = node.schema.types[type]
    for one in found:
        label = label_in(kind.doubles[one.rule].label, out.lang, one.rule)
        out.say("overlap_known", what=out.safe(label), side=_side(out, kind, one.side))


def both_right(out: Tables, node: Node, a: str, b: str) -> None:
    """Say that two records are both right, each with what it is called."""
    out.use_node(node)
    out.say("overlap_both", a=out.format_reference(a), b=out.format_reference(b))


def _side(out: Tables, kind: Type, side: OverlapSide) -> SafeText:
    named = [name for name in (_WHO, "programme", "state", "amount", "quantity") if side.fields.get(name) is not None]
    values = [out.format_value(kind, name, side.fields[name]) for name in named]
    by = out.phrase("overlap_by", by=out.safe(side.by or "—"), at=local_time(side.at))
    return SafeText("  ".join((side.code or side.record, *values, by)))
