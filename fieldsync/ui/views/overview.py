"""The overview in a few lines, with suggested next commands."""

from typing import TYPE_CHECKING

from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Schema, Type
from fieldsync.ui.views.record_card import INDENT, local_time
from fieldsync.ui.views.tables import Tables

if TYPE_CHECKING:
    from fieldsync.ui.views.status_facts import Overview

_FIRST = "household"
_TYPED = {
    "join": "fieldsync join INVITE",
    "demo": "fieldsync demo",
    "status": "fieldsync status",
    "review": "fieldsync review",
    "agenda": "fieldsync agenda",
    "sync": "fieldsync sync",
    "add": f"fieldsync add {_FIRST}",
    "devices": "fieldsync server devices",
}


def begin(out: Tables, folder: str) -> None:
    """First steps without a store."""
    out.say("stands_empty", folder=folder)
    _next(out, ["join", "demo"], None)


def stands(out: Tables, found: "Overview", schema: Schema, *, laptop: bool) -> None:
    """Pending work."""
    role = out.phrase(f"role_{found.role}") if found.role else ""
    out.line("  ".join(filter(None, (out.safe(found.person), role, out.several(found.units)))))
    if laptop:
        due = out.phrase("stands_due", n=found.due, late=found.late) if found.due else out.phrase("stands_no_due")
        out.line(INDENT + due)
        out.line(INDENT + (out.phrase("n_unsent", n=found.unsent) if found.unsent else out.phrase("all_sent")))
    conflicts = out.phrase("n_conflicts", n=found.conflicts) if found.conflicts else out.phrase("stands_no_conflicts")
    out.line(INDENT + conflicts)
    out.pairs_waiting(found)
    if found.aside:
        out.line(INDENT + out.phrase("stands_aside", n=found.aside))
    if laptop:
        at = local_time(found.last_sync) if found.last_sync else out.phrase("never")
        out.line(INDENT + out.phrase("last_sync", at=at))
    _next(out, found.next, None if _FIRST in schema.types else _first_type(schema))


def _first_type(schema: Schema) -> Type | None:
    """Return the first type whose records belong to no others: where work begins with forms that are not the shipped ones."""
    return next((kind for kind in schema.types.values() if kind.belongs_to is None and not kind.retired), None)


def _next(out: Tables, names: list[str], first: Type | None) -> None:
    """Suggested commands, one per line; `first` is the type to add if not the shipped forms' own."""
    out.say("stands_next")
    for name in names:
        if name == "add" and first is not None:
            label = out.safe(label_in(first.label, out.lang, first.name))
            out.line(f"{INDENT}{out.phrase('stands_next_add_type', label=label)}: fieldsync add {first.name}")
            continue
        out.line(f"{INDENT}{out.phrase(f'stands_next_{name}')}: {_TYPED[name]}")
    out.line(f"{INDENT}{out.phrase('stands_help')}: fieldsync --help")
