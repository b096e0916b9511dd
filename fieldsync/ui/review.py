"""Deciding in the terminal: one conflict at a time, its values side by side with who, where and when.

Plain prompts, so that it works on any terminal of 80 columns and over any line.
"""

from collections.abc import Sequence
from typing import Any

from fieldsync import errors
from fieldsync.core import names
from fieldsync.schema.model import Type
from fieldsync.sync import read
from fieldsync.sync import review as reviews
from fieldsync.sync.node import Node
from fieldsync.ui import words
from fieldsync.ui.cards import when
from fieldsync.ui.filling import meant, refused
from fieldsync.ui.tables import Tables, in_time

Item = dict[str, Any]
TYPE, NOTE, SKIP, UNDO, QUIT = "t", "n", "s", "u", "q"


class Review:
    """A walk through open conflicts."""

    def __init__(self, out: Tables, node: Node, items: Sequence[Item]) -> None:
        self._out, self._node = out, node
        self._items = [{**item, "heads": in_time(item["heads"])} for item in items]
        out.of(node)
        self._note: str | None = None
        self._decided: list[int] = []  # places of what was decided, the last one last

    def run(self) -> None:
        """Go through all of them; end with what came of it."""
        at = 0
        if not self._items:
            self._out.say("no_conflicts")
            return
        while at < len(self._items):
            self._note = None
            self._show(at)
            step = self._choose(at)
            if step is None:
                break
            at += step
        left = len(self._items) - len(self._decided)
        self._out.say("review_done", decided=len(self._decided), left=left)

    # --- one conflict ---

    def _show(self, at: int) -> None:
        out, item = self._out, self._items[at]
        kind = self._kind(item)
        out.line()
        out.line(f"── {out.phrase('review_place', n=at + 1, total=len(self._items))} ──")
        out.line(out.heading(kind, read.show(self._node, item["record"])))
        out.line(out.safe(out.label(kind, item["field"])))
        out.line(f"     {out.phrase('was')}: {out.shown(kind, item['field'], item['base'])}")
        rows = [
            [
                number,
                f"{head['device']}:{head['seq']}",
                self._value(kind, item, head["value"]),
                when(head["at"]),
                head["by"],
            ]
            for number, head in enumerate(item["heads"], 1)
        ]
        out.table(["", "", out.phrase("column_value"), out.phrase("column_when"), out.phrase("column_person")], rows)

    def _value(self, kind: Type | None, item: Item, value: object) -> str:
        return self._out.shown(kind, item["field"], value)

    def _kind(self, item: Item) -> Type | None:
        return self._node.schema.types.get(item["type"])

    def _choose(self, at: int) -> int | None:
        """Ask until something is done; return how far to go on, or None to stop."""
        item, out = self._items[at], self._out
        while True:
            given = names.plain(out.ask(out.phrase("review_keys", n=len(item["heads"])) + " ")).casefold()
            if given == QUIT:
                return None
            if given == SKIP:
                return 1
            if given == NOTE:
                self._note = out.ask(out.phrase("review_note") + " ").strip() or None
            elif given == UNDO:
                back = self._undo(at)
                if back is not None:
                    return back
            elif given == TYPE:
                if self._decide(at, value=out.ask(out.phrase("review_type") + " ").strip()):
                    return 1
            elif given.isdecimal() and 1 <= int(given) <= len(item["heads"]):
                head = item["heads"][int(given) - 1]
                if self._decide(at, head=f"{head['device']}:{head['seq']}"):
                    return 1

    def _decide(self, at: int, *, head: str | None = None, value: object = reviews.Missing) -> bool:
        """Decide; what is not allowed is said, and the question stays."""
        item = self._items[at]
        if isinstance(value, str) and not value:
            return False
        try:
            reviews.take(
                self._node, item["record"], item["field"], head=head, value=self._meant(item, value), note=self._note
            )
        except (errors.BadInput, errors.Refused, errors.NotFound) as fault:
            self._out.line(f"  ✗ {refused(fault, self._kind(item), self._out.lang, self._node)}")
            return False
        shown = read.show(self._node, item["record"])["fields"].get(item["field"])
        self._out.line(f"  ✓ {self._value(self._kind(item), item, shown)}")
        self._decided.append(at)
        return True

    def _meant(self, item: Item, value: object) -> object:
        """A reference may be typed as a code, or in words."""
        if not isinstance(value, str):
            return value
        return meant(self._node, self._kind(item), self._out.lang, item["field"], value)

    def _undo(self, at: int) -> int | None:
        """Take the last decision back and go there; None when there is none."""
        if not self._decided:
            self._out.say("review_no_undo")
            return None
        last = self._decided.pop()
        item = self._items[last]
        try:
            reviews.undo(self._node, item["record"], item["field"])
        except errors.FieldsyncError as fault:
            self._out.line(f"  ✗ {words.explain(fault, self._out.lang, self._node.schema)[0]}")
            return None
        self._out.say("review_undone")
        return last - at
