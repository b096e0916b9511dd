"""The review screen in the demo, played for a few seconds where there is a terminal.

It runs on a copy of the supervisor's store, so that keys pressed meanwhile do not change the story.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from fieldsync.crypto.slots import Slots
from fieldsync.ui.views.tables import Tables

# what is pressed, and how many seconds one can look at it: both sides, who wrote what, the decision
STEPS: Sequence[tuple[str, float]] = (("", 2.0), ("right", 0.8), ("left", 0.8), ("h", 2.0), ("escape", 0.6), ("1", 1.8))
_COLUMNS, _LINES = 60, 16  # a smaller terminal shows too little


def is_large_enough() -> bool:
    """Return whether the terminal shows enough of the screen."""
    size = shutil.get_terminal_size()
    return size.columns >= _COLUMNS and size.lines >= _LINES


def play_review(
    out: Tables, home: Path, secret: bytes, *, steps: Sequence[tuple[str, float]] = STEPS, headless: bool = False
) -> int:
    """Show a supervisor's review screen while these keys are pressed; return how many conflicts they decided, on the copy."""
    from fieldsync.replica import node as nodes
    from fieldsync.review import queue
    from fieldsync.ui.review.review_app import ReviewApp

    copy = home.with_name(f"{home.name}-shown")
    shutil.copytree(home, copy)

    def unlock(slots: Slots) -> bytes:
        return slots.open_keyfile(secret)

    node = nodes.open_node(copy, unlock)
    try:
        out.use_node(node)
        app = ReviewApp(node, out, pairs=queue.waiting_pairs(node))

        app.show_screen(headless=headless, played=steps)
        return app.review.walk.decided
    finally:
        node.close()
        shutil.rmtree(copy, ignore_errors=True)
