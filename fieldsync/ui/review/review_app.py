"""`review` on a terminal: the screen, and the summary on leaving it."""

from collections.abc import Sequence

from textual.screen import Screen

from fieldsync.replica.node import Node
from fieldsync.review.conflict_filter import EVERYTHING, ConflictFilter
from fieldsync.review.queue import QueuedConflict
from fieldsync.ui.review.approval_questions import waiting_besides
from fieldsync.ui.review.review_screen import Looks, ReviewScreen
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.full_screen_app import FullScreen
from fieldsync.ui.widgets.line_writer import LineWriter


class ReviewApp(FullScreen[None]):
    """`review` on a terminal."""

    def __init__(
        self,
        node: Node,
        out: Tables,
        narrowed: ConflictFilter = EVERYTHING,
        pairs: Sequence[QueuedConflict] = (),
        looks: Looks | None = None,
    ) -> None:
        super().__init__(LineWriter(out).loading_line())
        self.review = ReviewScreen(node, out, narrowed, pairs, looks)

    def get_default_screen(self) -> Screen[None]:
        """Its only screen."""
        return self.review

    def action_break_off(self) -> None:
        """Leave, from a dialog, too; decisions that are being saved are finished first."""
        if self.review.is_ready or self.screen is not self.review:
            self.review.action_quit()


def run_review(out: Tables, node: Node, narrowed: ConflictFilter) -> None:
    """Show the screen until the user leaves it; print a summary."""
    out.use_node(node)
    app = ReviewApp(node, out, narrowed, looks=lambda progress: waiting_besides(node, progress=progress))
    app.show_screen()
    out.say("review_done", decided=app.review.walk.decided, left=app.review.walk.count_left())
