"""Questions about two records, possible duplicates and overlaps, for the `review` screen."""

from collections.abc import Callable
from functools import partial

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record
from fieldsync.review import assistance_overlaps, duplicate_pairs
from fieldsync.review.asked_questions import open_questions, pair_questions
from fieldsync.review.queue import DUPLICATE, ConflictDetail, QueuedConflict
from fieldsync.review.renewed_pairs import AGAIN
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Type
from fieldsync.ui.review.questions import QuestionSide, ReviewQuestion
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views import duplicate_view
from fieldsync.ui.views.record_card import local_time
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.line_writer import QUIET, LinePart, mark_changes

_MOST = 8  # fields of a side; those that differ come first, the rest is in the history


def question_of_pair(node: Node, out: Tables, one: QueuedConflict) -> ReviewQuestion | None:
    """Return the question that two records are; None where it was settled meanwhile."""
    return (_duplicate_question if one.kind == DUPLICATE else _overlap_question)(node, out, one)


def _duplicate_question(node: Node, out: Tables, one: QueuedConflict) -> ReviewQuestion | None:
    a, b = one.record.hex(), one.other.hex()
    try:
        item = duplicate_pairs.show_pair(node, a, b)
    except errors.NotFound:  # a sync has taken one of the two away
        return None
    first, second = item.a, item.b
    gave_way = any(side.deleted or side.same_as for side in (first, second))
    if item.same or (item.not_same and AGAIN not in item.reasons) or gave_way:
        return None
    kind = node.schema.types.get(one.type)
    out.use_node(node)
    title = out.phrase("queue_duplicate")
    two = QuestionSide(
        out.phrase("pair_two"), [LinePart(out.phrase("pair_two_means"))], act=_undoable_decision(
            partial(duplicate_pairs.mark_distinct, node, a, b), partial(duplicate_pairs.unmark_distinct, node, a, b)
        ),
    )  # fmt: skip
    sides = [two]
    for here, other, (stays, gives) in ((first, second, (a, b)), (second, first, (b, a))):
        act = _undoable_decision(
            partial(duplicate_pairs.merge_records, node, stays, gives),
            partial(duplicate_pairs.split_records, node, stays, gives),
        )
        name = out.phrase("pair_stays", code=here.code or here.id[:8])
        sides.append(
            QuestionSide(name, [LinePart(out.title(kind, here), "bold")], _side_lines(out, kind, here, other), act=act)
        )
    why = f"{duplicate_view.percent(item.score)}  {_overlap_reason(out, kind, item)}"
    asked = _asked_lines(node, out, first, second)
    return _pair_question(out, kind, one, (first, second), title=title, why=why, sides=sides, asked=asked)


def _overlap_reason(out: Tables, kind: Type | None, item: duplicate_pairs.ComparedPair) -> str:
    return str(duplicate_view.reasons(out, kind, item.reasons))


def _overlap_question(node: Node, out: Tables, one: QueuedConflict) -> ReviewQuestion | None:
    a, b = one.record.hex(), one.other.hex()
    try:
        found = next(
            (hit for hit in assistance_overlaps.overlaps_of(node, a) if hit.side.record.replace("-", "") == b), None
        )
        first, second = (duplicate_pairs.show_unmerged(node, ref) for ref in (a, b))
    except errors.NotFound:  # a sync has taken one of the two away
        return None
    if found is None:
        return None
    kind = node.schema.types[one.type]
    out.use_node(node)
    both = QuestionSide(
        out.phrase("pair_both"), [LinePart(out.phrase("pair_both_means"))], act=_undoable_decision(
            partial(assistance_overlaps.keep_both, node, a, b), partial(duplicate_pairs.unmark_distinct, node, a, b)
        ),
    )  # fmt: skip
    sides = [both]
    for here, other, gone in ((first, second, b), (second, first, a)):
        name = out.phrase("pair_stays", code=here.code or here.id[:8])
        sides.append(
            QuestionSide(
                name,
                [LinePart(out.title(kind, here), "bold")],
                _side_lines(out, kind, here, other),
                act=_cancel_decision(node, out, gone),
            )
        )
    label = str(label_in(kind.doubles[found.rule].label, out.lang, found.rule))
    asked = _asked_lines(node, out, first, second)
    why = out.phrase("review_why_overlap")
    return _pair_question(out, kind, one, (first, second), title=label, why=why, sides=sides, asked=asked)


def _asked_lines(node: Node, out: Tables, a: Record, b: Record) -> list[SafeText]:
    with node.store.read() as tx:
        asked = {
            key: one for side in (a, b) for key, one in open_questions(node, tx, record_ids.from_text(side.id)).items()
        }
    return [out.question_words(one) for one in pair_questions(asked, a.id, b.id)]


def _pair_question(
    out: Tables,
    kind: Type | None,
    one: QueuedConflict,
    pair: tuple[Record, Record],
    *,
    title: str,
    why: str,
    sides: list[QuestionSide],
    asked: list[SafeText],
) -> ReviewQuestion:
    a, b = pair
    derived = {field.name for field in kind.fields.values() if field.kind == "derived"} if kind is not None else set()
    alike = [name for name, value in a.fields.items() if b.fields.get(name) == value and name not in derived]
    heading = SafeText(f"{out.heading(kind, a)}  ~  {out.safe(b.code or b.id[:8])} {out.title(kind, b)}")
    return ReviewQuestion(
        record=a.id, heading=heading, name=out.title(kind, a), title=title,
        why=why, sides=sides, about=[(out.label(kind, name), out.format_value(kind, name, a.fields[name]), False) for name in alike],
        item=ConflictDetail(a.id, a.code, one.kind, base=None, heads=(), about=a), kind=kind, editable=False,
        asked=asked, pair=pair,
    )  # fmt: skip


def _side_lines(out: Tables, kind: Type | None, here: Record, other: Record) -> list[list[LinePart]]:
    """Return a record's place, time and fields that differ from the other one's, with differing words marked."""
    lines = [[LinePart("  ".join(filter(None, (here.code, here.unit))), QUIET)]]
    if here.updated:
        lines.append([LinePart(f"{here.updated.by}  {local_time(here.updated.at)}", QUIET)])
    told = [name for name in here.fields if here.fields[name] != other.fields.get(name)]
    for name in told[:_MOST]:
        mine, its = (out.format_value(kind, name, one.fields.get(name)) for one in (here, other))
        value = mark_changes(its, mine) if other.fields.get(name) is not None else [LinePart(mine)]
        lines.append([LinePart(out.label(kind, name) + ": ", QUIET), *value])
    return lines


def _undoable_decision(
    do: Callable[..., object], undo: Callable[[], object]
) -> Callable[[str | None], Callable[[], object]]:
    def act(note: str | None) -> Callable[[], object]:
        do(note=note)
        return undo

    return act


def _cancel_decision(node: Node, out: Tables, ref: str) -> Callable[[str | None], Callable[[], object]]:
    def act(note: str | None) -> Callable[[], object]:
        before = duplicate_pairs.show_unmerged(node, ref).fields.get("state")
        assistance_overlaps.cancel_record(node, ref, note or out.phrase("pair_too_many"))
        return partial(assistance_overlaps.restore_record, node, ref, before)

    return act
