"""The quarantine on a terminal."""

from collections.abc import Sequence

from fieldsync.authority.quarantine import DroppedSaves, QuarantinedSave, Released
from fieldsync.replica.node import Node
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views import schema_news
from fieldsync.ui.views.record_card import INDENT, local_time
from fieldsync.ui.views.tables import Tables


def listed(out: Tables, node: Node, found: Sequence[QuarantinedSave], *, narrowed: bool) -> None:
    """Two lines per save, with its reason, and possible actions; `narrowed` if a filter was given."""
    if not found:
        out.say("quarantine_no_match" if narrowed else "quarantine_empty")
        return
    for one in found:
        _draw_save(out, node, one)
    out.say("quarantine_next" if not node.is_laptop else "quarantine_next_laptop")


def refused(out: Tables, node: Node, found: Sequence[QuarantinedSave]) -> None:
    """Two lines per own refused save, with its reason, and possible actions."""
    if not found:
        out.say("refused_none")
        return
    for one in found:
        _draw_save(out, node, one)
    out.say("refused_next")


def released(out: Tables, node: Node, done: Released) -> None:
    """The applied saves and those left; or that no save matched."""
    if not (done.released or done.left):
        out.say("quarantine_no_match")
        return
    _several(out, node, "quarantine_released", done.released)
    if done.left:
        _several(out, node, "quarantine_left", done.left)


def dropped(out: Tables, node: Node, done: DroppedSaves) -> None:
    """The dropped saves; or that no save matched."""
    if not done.dropped:
        out.say("quarantine_no_match")
        return
    _several(out, node, "quarantine_dropped", done.dropped)


def _several(out: Tables, node: Node, key: str, found: Sequence[QuarantinedSave]) -> None:
    out.say(key, n=len(found))
    for one in found:
        _draw_save(out, node, one)


def _draw_save(out: Tables, node: Node, one: QuarantinedSave) -> None:
    out.use_node(node)
    out.line(INDENT + out.phrase(
        "quarantine_save", save=one.save, by=out.safe(one.by), record=out.format_reference(one.record), since=local_time(one.since),
        state=SafeText(out.phrase(f"quarantine_is_{one.state}")),
    ))  # fmt: skip
    if one.code:
        out.line(INDENT * 2 + schema_news.reason(out, node, one.code, one.facts))
    for act in one.acts:
        said = {"by": out.safe(act.by), "at": local_time(act.at), "note": out.safe(act.note or "—")}
        out.line(INDENT * 2 + out.phrase(f"quarantine_act_{act.act}", **said))
