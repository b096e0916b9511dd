"""Messages about changed forms and quarantined saves."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from fieldsync import errors
from fieldsync.replica.node import Node
from fieldsync.schema.compatibility import FormChange
from fieldsync.schema.labels import label_in
from fieldsync.ui.terminal import messages
from fieldsync.ui.views.record_card import RecordCards

if TYPE_CHECKING:
    from fieldsync.replica.schema_history import FormVersion


def published(out: RecordCards, node: Node, changes: Sequence[FormChange], number: int, *, dry_run: bool) -> None:
    """One line per change, and the next steps."""
    for one in changes:
        kind = node.schema.types.get(one.type)
        label = label_in(kind.label, out.lang, kind.name) if kind else one.type
        named = f"{label} ({one.type})" if kind else one.type
        choices = out.several(one.choices or ())
        out.line(
            "  " + out.phrase(f"form_{one.what}", type=named, field=one.field or "", was=one.was or "", choices=choices)
        )
    if not changes:
        out.say("forms_same")
    else:
        out.say("forms_would_publish" if dry_run else "forms_published", number=number)


def changed(out: RecordCards, types: "Iterable[FormVersion]") -> None:
    """One line: the forms updated by a sync."""
    named = out.several(
        out.phrase("form_changed_to", type=label_in(one.label, out.lang, one.type), version=one.version)
        for one in types
    )
    out.say("forms_changed", types=named)


def aside(out: RecordCards, node: Node, one: dict[str, Any]) -> None:
    """A save that a server quarantines: of which record, why, and what to do."""
    said = reason(out, node, one["code"], {k: v for k, v in one.items() if k not in ("seq", "code", "record")})
    out.use_node(node)
    record = out.format_reference(one["record"]) if one["record"] else "—"
    key = "commit_undecided" if one["code"] == errors.Undecided.code else "commit_refused"
    out.line("  ⚠ " + out.phrase(key, seq=one["seq"], record=record, reason=said))
    out.line("    " + out.phrase(f"{key}_next"))


def reason(out: RecordCards, node: Node, code: str, facts: Mapping[str, object]) -> messages.SafeText:
    """Why a server quarantined a save."""
    told = messages.label_facts(facts, out.lang, node.schema)
    key = f"aside.{code}"
    if code == "illegal_value":
        told["because"] = messages.reason_text(told, out.lang)
    known = messages.load_catalogue(out.lang)
    return messages.SafeText(
        messages.phrase(key if key in known else "aside.other", out.lang, **{"code": code, **told})
    )


class LeftPart(Struct, frozen=True):
    """An unsupported part of an XLSForm.

    sheet: its sheet.
    row: its row; null where it has none.
    name: the question's, or the choice's; empty where it has none.
    what: the unsupported part: "question", or a column of the sheet.
    why: the reason's code, followed by a blank and its subject.
    """

    sheet: str
    row: int | None
    name: str
    what: str
    why: str


def draw_types(out: RecordCards, texts: Mapping[str, str], notes: Sequence[LeftPart]) -> None:
    """The text of the types that were made, and what could not be carried."""
    for name, text in texts.items():
        out.line(f"# --- {out.safe(name)} ---")
        out.line(out.safe(text, lines=True))
    draw_left_parts(out, notes)


def written(out: RecordCards, types: Sequence[str], folder: str, notes: Sequence[LeftPart]) -> None:
    """The unsupported parts, and the folder of the new types."""
    draw_left_parts(out, notes)
    out.say("form_written", types=types, out=folder)


def draw_left_parts(out: RecordCards, notes: Sequence[LeftPart]) -> None:
    """The unsupported parts."""
    if notes:
        out.say("form_left")
        for one in notes:  # whole lines: a row that is cut cannot be found, nor a reason understood
            place = f"{one.sheet} {one.row or ''}".strip()
            said = {"place": place, "name": one.name, "what": _part_name(out, one.what), "why": _reason(out, one)}
            out.say("form_left_line" if one.name else "form_left_nameless", **said)


def _part_name(out: RecordCards, what: str) -> str:
    """Return an unsupported part's name: the question, or a column of its sheet."""
    key = f"form_what_{what}"
    return out.phrase(key) if key in messages.load_catalogue("en") else what


def _reason(out: RecordCards, one: LeftPart) -> str:
    reason, _, what = one.why.partition(" ") if one.what != "language" else ("language", "", one.why)
    key = f"form_why_{reason}"
    return (
        out.phrase(key, what=what)
        if key in messages.load_catalogue("en")
        else out.phrase("form_why_unfit", what=reason)
    )
