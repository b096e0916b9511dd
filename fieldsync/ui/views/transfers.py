"""Transfers for display: the people who would gain and lose a record, and records that have left this laptop."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fieldsync.ui.terminal.messages import SafeText

if TYPE_CHECKING:
    from fieldsync.replica.node import Node
    from fieldsync.replica.queries import Record
    from fieldsync.replica.transfer import DepartedRecord, MovePlan
    from fieldsync.review.removal import RemovalPlan
    from fieldsync.ui.views.record_card import RecordCards

_NAMED = 5  # of many that have left, a few by name


def plan(out: "RecordCards", node: "Node", told: "MovePlan") -> None:
    """The effect of a move."""
    out.use_node(node)
    record = out.format_reference(told.record)
    besides = {name: n - (name == told.type) for name, n in told.moves.items()}
    if not besides:
        out.say("lives_there", record=record, unit=told.to)
        return
    words = {"record": record, "old": told.from_unit, "new": told.to}
    counts = out.counts(node, {name: n for name, n in besides.items() if n})
    out.say("would_move" if counts else "would_move_alone", counts=counts, **words)
    out.say("would_still_see" if told.still_seen else "would_not_see", **words)


def hanging(out: "RecordCards", node: "Node", told: "RemovalPlan") -> None:
    """Draw what hangs on a record that is to be removed."""
    out.use_node(node)
    out.line(out.format_reference(told.record))
    for words, counts in (("hangs_belongs", told.belongs), ("hangs_named", told.named_by)):
        if counts:
            out.say(words, counts=out.counts(node, counts))
    if not (told.belongs or told.named_by):
        out.say("hangs_nothing")


def moved(out: "RecordCards", node: "Node", record: "Record", *, still_seen: bool) -> None:
    """Draw a record that was moved."""
    out.record(node, record)
    if not still_seen:
        out.say("moved_away", record=out.format_reference(record.id))


def draw_departed(out: "RecordCards", node: "Node | None", found: "Sequence[DepartedRecord]") -> None:
    """One line on records that have left this laptop."""
    if not found:
        return
    shown = []
    for one in found[:_NAMED]:
        name = out.safe(one.name or (out.type_label(node, one.type) if node else one.type))
        record, unit = f"{one.code or one.record} {name}", one.unit
        to = out.phrase("left_above", unit=unit) if one.above else unit
        shown.append(SafeText(f"{record} → {to}" if to else record))
    more = ["…"] if len(found) > _NAMED else []
    out.say("left", n=len(found), records=out.several([*shown, *more]))
