"""Pending approvals as questions of the review screen: approve, send back, or approve all of the kind at once."""

from collections.abc import Callable
from functools import partial

from fieldsync.casework import approvals
from fieldsync.casework.approvals import PendingApproval
from fieldsync.core import record_ids
from fieldsync.replica import queries
from fieldsync.replica.node import Node
from fieldsync.review import queue, undo
from fieldsync.review.queue import ConflictDetail, QueuedConflict
from fieldsync.store.contract import Progress
from fieldsync.ui.review.questions import QuestionSide, ReviewQuestion
from fieldsync.ui.views import approvals as pictures
from fieldsync.ui.views.record_card import local_time
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.line_writer import GOOD, QUIET, WARN, LinePart

APPROVAL = "approval"
_RANK = 3  # behind what protects people and what is given twice, before all else
_MOST = 5  # records that are named before many are approved


def waiting_besides(node: Node, *, progress: Progress | None = None) -> list[QueuedConflict]:
    """Return the questions beside conflicts: pairs of records, and approvals."""
    waiting = [
        QueuedConflict(_RANK, at, record_ids.from_text(one.record), one.kind, one.type, one.code, one.unit, APPROVAL)
        for at, one in enumerate(approvals.list_approvals(node))
    ]
    return [*queue.waiting_pairs(node, progress=progress), *waiting]


def question_of_approval(node: Node, out: Tables, one: QueuedConflict) -> ReviewQuestion | None:
    """Return the question that an approval is; None where it was given or withdrawn meanwhile."""
    found = approvals.list_approvals(node, kind=one.field)
    asked = next((item for item in found if item.record == record_ids.id_text(one.record)), None)
    if asked is None:
        return None
    out.use_node(node)
    kind, about = node.schema.types.get(one.type), queries.show(node, asked.record)
    source = [[LinePart("  ".join(filter(None, (asked.by, local_time(asked.since) if asked.since else ""))), QUIET)]]
    sides = [  # the first is what the key 0 takes, and the second is the one that is marked
        QuestionSide(
            out.phrase("approval_return"), [LinePart(out.phrase("approval_return_means"), WARN)],
            act=_sending_back(node, out, asked),
        ),
        QuestionSide(
            out.phrase("approval_give"), [LinePart(pictures.asked_for(out, node, asked), GOOD)], source,
            act=_undoable(node, partial(approvals.approve_many, node, [asked])),
        ),
    ]  # fmt: skip
    alike = [item for item in found if item.unit == asked.unit]
    if len(alike) > 1:
        few = [[LinePart("  ".join(filter(None, (item.code, item.about))), QUIET)] for item in alike[:_MOST]]
        more = [[LinePart(out.phrase("review_more", n=len(alike) - _MOST), QUIET)]] if len(alike) > _MOST else []
        sides.append(
            QuestionSide(
                out.phrase("approval_all", n=len(alike), unit=asked.unit), [LinePart(out.phrase("approval_all_means"))],
                [*few, *more], act=_undoable(node, partial(approvals.approve_many, node, alike)),
            )
        )  # fmt: skip
    return ReviewQuestion(
        record=asked.record, heading=out.heading(kind, about), name=asked.about or out.title(kind, about),
        title=out.phrase("queue_approval"), why=out.phrase(f"approval_{asked.kind}"), sides=sides,
        about=[(out.label(kind, name), out.format_value(kind, name, value), False) for name, value in about.fields.items()],
        item=ConflictDetail(asked.record, asked.code, one.kind, base=None, heads=(), about=about), kind=kind, editable=False,
    )  # fmt: skip


Act = Callable[[str | None], Callable[[], object]]


def _undoable(node: Node, do: Callable[..., object]) -> Act:
    def act(note: str | None) -> Callable[[], object]:
        do(note=note)
        return partial(undo.undo_act, node, undo.last_act(node))

    return act


def _sending_back(node: Node, out: Tables, asked: PendingApproval) -> Act:
    def act(note: str | None) -> Callable[[], object]:
        approvals.send_back(node, asked.record, asked.kind, note or out.phrase("approval_returned"))
        return partial(undo.undo_act, node, undo.last_act(node))

    return act
