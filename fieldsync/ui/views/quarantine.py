"""The quarantine on a terminal."""

from collections.abc import Sequence
from typing import Any

from fieldsync.replica.node import Node
from fieldsync.ui.terminal.messages import Shown
from fieldsync.ui.views import schema_news
from fieldsync.ui.views.record_card import INDENT, when
from fieldsync.ui.views.tables import Tables

Json = dict[str, Any]


def listed(out: Tables, node: Node, found: Sequence[Json], *, narrowed: bool) -> None:
    """A line for each save and one for its reason, and what can be done; `narrowed` where not all were asked for."""
    if not found:
        out.say("quarantine_no_match" if narrowed else "quarantine_empty")
        return
    for one in found:
        _line(out, node, one)
    out.say("quarantine_next" if not node.is_laptop else "quarantine_next_laptop")


def decided(out: Tables, node: Node, done: Json) -> None:
    """What was released, dropped, and left; where no save matched, that."""
    if not any(done.values()):
        out.say("quarantine_no_match")
        return
    for name, found in done.items():
        if found or name != "left":
            out.say(f"quarantine_{name}", n=len(found))
        for one in found:
            _line(out, node, one)


def _line(out: Tables, node: Node, one: Json) -> None:
    out.line(INDENT + out.phrase(
        "quarantine_save", save=one["save"], by=out.safe(one["by"]), record=one["named"] or one["record"], since=when(one["since"]),
        state=Shown(out.phrase(f"quarantine_is_{one['state']}")),
    ))  # fmt: skip
    if one["code"]:
        out.line(INDENT * 2 + schema_news.reason(out, node, one["code"], one["facts"]))
    for act in one["acts"]:
        said = {"by": out.safe(act["by"]), "at": when(act["at"]), "note": out.safe(act["note"] or "—")}
        out.line(INDENT * 2 + out.phrase(f"quarantine_act_{act['act']}", **said))
