"""One person's way through the queue, on the screen or line by line: open entries, and decisions made here or by others."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fieldsync.casework import approvals
from fieldsync.replica.node import Node
from fieldsync.review import decisions as reviews
from fieldsync.review import queue
from fieldsync.review.conflict_filter import EVERYTHING, ConflictFilter
from fieldsync.review.queue import QueuedConflict
from fieldsync.store.contract import Progress
from fieldsync.ui.review.approval_questions import APPROVAL, question_of_approval
from fieldsync.ui.review.pair_questions import question_of_pair
from fieldsync.ui.review.questions import QuestionSide, ReviewQuestion, question_of_conflict
from fieldsync.ui.views.tables import Tables


@dataclass
class _DoneStep:
    """Decisions of one step: for conflicts record and field, for a pair its undo; and removed queue entries."""

    decided: list[tuple[str, str]]
    undo: Callable[[], object] | None
    taken: list[QueuedConflict]
    many: int


class ReviewWalk:
    """The filtered queue in order, and the decisions made, for undo."""

    def __init__(self, node: Node, out: Tables, narrowed: ConflictFilter, pairs: Sequence[QueuedConflict] = ()) -> None:
        self.node, self.out = node, out
        self.pairs = list(pairs)
        self.decided = 0
        self.gone = 0  # removed since the last notice: settled by others
        self._done: list[_DoneStep] = []
        self._names: dict[bytes, str] = {}  # of the records that were in sight
        self._stood: dict[tuple[bytes, str, bytes], QueuedConflict] = {}  # taken back: where it stood before
        self.set_filter(narrowed)

    # --- the queue ---

    def set_filter(self, narrowed: ConflictFilter, progress: Progress | None = None) -> None:
        """Go through these only."""
        self.narrowed = narrowed
        self.reload_queue(progress)

    def reload_queue(self, progress: Progress | None = None) -> None:
        """Reload the open questions."""
        self.version = self.node.store.change_counter()
        self._names.clear()
        conflicts = queue.waiting_conflicts(self.node, self.narrowed, progress=progress)
        self._conflicts = [self._stood.get(_conflict_key(one), one) for one in conflicts]
        self._sort_queue()

    def put_last(self, one: QueuedConflict) -> None:
        """Move a returned entry to the end of the queue, until its question is answered."""
        self.pairs = [
            pair._replace(rank=queue.RETURNED) if _conflict_key(pair) == _conflict_key(one) else pair
            for pair in self.pairs
        ]
        self.reload_queue()

    def add_pairs(self, pairs: Sequence[QueuedConflict]) -> None:
        """Have these pairs in the queue, and no others."""
        taken = {_conflict_key(one) for done in self._done for one in done.taken}  # since they were looked for
        self.pairs = [one for one in pairs if _conflict_key(one) not in taken]
        self._sort_queue()

    def _sort_queue(self) -> None:
        names = queue.record_names(self.node, _pair_records(self.pairs)) if self.narrowed.text is not None else {}
        pairs = [
            one
            for one in self.pairs
            if self.narrowed.has_pair(
                one.unit, one.type, (one.code or "", names.get(one.record, ""), names.get(one.other, ""))
            )
        ]
        self.waiting = sorted([*self._conflicts, *pairs], key=lambda one: one[:4])

    @property
    def has_news(self) -> bool:
        """Whether another process has written since the queue was read."""
        return self.node.store.change_counter() != self.version

    def name_of(self, one: QueuedConflict) -> str:
        """Return the record's title, or the person or family that it is about."""
        if one.record not in self._names:
            self._names |= queue.record_names(self.node, [one.record])
        return self._names.get(one.record, "")

    def place_of(self, one: QueuedConflict | None) -> int | None:
        """Return an entry's position in the queue; None if it is gone."""
        wanted = one and _conflict_key(one)
        return next((at for at, other in enumerate(self.waiting) if _conflict_key(other) == wanted), None)

    def open_question(self, at: int) -> tuple[int, ReviewQuestion | None]:
        """Return a position and its question; one no longer open is removed, and the next takes its place."""
        while self.waiting:
            at = max(0, min(at, len(self.waiting) - 1))
            matter = self.question_of(self.waiting[at])
            if matter is not None:
                return at, matter
            self._drop_settled(self.waiting[at : at + 1])
            self.gone += 1
        return 0, None

    def question_of(self, one: QueuedConflict) -> ReviewQuestion | None:
        """Return the question that something is; None where it is open no more."""
        if one.kind == APPROVAL:
            return question_of_approval(self.node, self.out, one)
        return (question_of_conflict if one.kind == queue.CONFLICT else question_of_pair)(self.node, self.out, one)

    def _is_settled(self, one: QueuedConflict) -> bool:
        """Return whether something is open no more; of approvals many are asked about at once."""
        if one.kind == APPROVAL:
            return not approvals.still_waits(self.node, one.record, one.field)
        return self.question_of(one) is None

    def settled_notice(self) -> str:
        """Return, once, a notice of questions settled by others; empty if there are none."""
        gone, self.gone = self.gone, 0
        return self.out.phrase("review_gone", n=f"{gone:,}") if gone else ""

    def count_left(self) -> int:
        """Return how much is open, narrowed or not."""
        return len(queue.waiting_conflicts(self.node)) + len(self.pairs)

    def _drop_settled(self, gone: Sequence[QueuedConflict]) -> None:
        names = {_conflict_key(one) for one in gone}
        for several in (self.waiting, self._conflicts, self.pairs):
            several[:] = [one for one in several if _conflict_key(one) not in names]

    # --- deciding ---

    def take_side(self, at: int, matter: ReviewQuestion, side: QuestionSide, note: str) -> bool:
        """Take a side; False where it was not done: the question is another one meanwhile, or none. Raises as `decide_conflict`."""
        if side.decision is not None:
            return self.decide_value(at, side.decision, note)
        one = self.waiting[at]
        now = self.question_of(one)
        if side.act is None or now is None or not same_question(now, matter):
            return False
        self._note_pairs([one], side.act(note or None))
        return True

    def note_merged(self, merged: Iterable[tuple[bytes, bytes]], undo: Callable[[], object]) -> int:
        """Remember pairs that were merged in one save, and how that is undone; return how many of them were in the queue."""
        both = set(merged)
        taken = [one for one in self.pairs if (one.record, one.other) in both]
        self._note_pairs(taken, undo)
        return len(taken)

    def _note_pairs(self, taken: Sequence[QueuedConflict], undo: Callable[[], object]) -> None:
        """Remove decided pairs, and those of the same records that are settled with them."""
        touched, kinds = _pair_records(taken) - {b""}, {one.kind for one in taken}
        closed = [
            other
            for other in self.pairs
            if other in taken
            or (({other.record, other.other} & touched or other.kind == APPROVAL in kinds) and self._is_settled(other))
        ]
        self._drop_settled(closed)
        self._keep_step(_DoneStep([], undo, closed, len(closed) if APPROVAL in kinds else len(taken)))

    def decide_value(self, at: int, decision: reviews.Decision, note: str) -> bool:
        """Decide a conflict; False where it is not as it was looked at any more. Raises as `decide_conflict`."""
        past = reviews.decide_open_conflicts(self.node, [decision], note=note or None)
        return self.note_decided([(self.waiting[at], decision)], past) == 1

    def note_decided(
        self, decided: Sequence[tuple[QueuedConflict, reviews.Decision]], past: Sequence[reviews.Decision]
    ) -> int:
        """Record the decisions of one save, except those too late; return their number."""
        left = {(one.record, one.field) for one in past}
        done = [(one, what) for one, what in decided if (what.record, what.field) not in left]
        taken = [one for one, _ in done]
        self._drop_settled(taken)
        if done:
            self._keep_step(_DoneStep([(what.record, what.field) for _, what in done], None, taken, len(done)))
        return len(done)

    def _keep_step(self, done: _DoneStep) -> None:
        self._done.append(done)
        self.decided += done.many

    @property
    def count_last(self) -> int:
        """The number of decisions that `undo` would undo next; 0 if there are none."""
        return self._done[-1].many if self._done else 0

    def undo_last(self, progress: Progress | None = None) -> Callable[[], int]:
        """Undo the last decisions; the returned function puts them into the queue and tells where. Raises as `undo_decision`."""
        last = self._done[-1]
        if last.undo is not None:
            last.undo()
        else:
            reviews.undo_decisions(self.node, last.decided, progress=progress)

        def back() -> int:
            self._done.remove(last)
            self.decided -= last.many
            self.pairs += [one for one in last.taken if one.kind != queue.CONFLICT]
            self._stood |= {_conflict_key(one): one for one in last.taken}
            self.reload_queue()
            at = self.place_of(last.taken[0])
            if at is None:  # it is not among those that were asked for
                self.set_filter(EVERYTHING)
                at = self.place_of(last.taken[0])
            return at or 0

        return back


def same_question(one: ReviewQuestion, other: ReviewQuestion) -> bool:
    """Return whether two readings of a question have the same conflicting values."""
    return (one.record, one.head_names) == (other.record, other.head_names)


def _pair_records(pairs: Iterable[QueuedConflict]) -> set[bytes]:
    return {record for one in pairs for record in (one.record, one.other)}


def _conflict_key(one: QueuedConflict) -> tuple[bytes, str, bytes]:
    return one.record, one.field, one.other
