"""What the columns of a file are taken for: shown, and confirmed by a person before anything is imported."""

from collections.abc import Sequence

from fieldsync.schema.model import Type
from fieldsync.ui.tables import Tables

_YES = {"", "y", "yes", "نعم", "ن"}
_NO = {"n", "no", "لا", "ل"}


def confirmed(out: Tables, kind: Type, found: Sequence[tuple[str, str, str]]) -> bool:
    """Show each column, its field and why it is taken for it; ask whether that is right. Enter says yes."""
    rows: list[list[object]] = [
        [header, _field(out, kind, name), out.phrase(f"columns_by_{by or 'nothing'}")] for header, name, by in found
    ]
    out.table([out.phrase("columns_column"), out.phrase("columns_field"), out.phrase("columns_by")], rows)
    while (said := out.ask(out.phrase("columns_right") + " ").strip().casefold()) not in _YES | _NO:
        pass
    return said in _YES


def _field(out: Tables, kind: Type, name: str) -> str:
    field, _, member = name.partition("/")
    if not name:
        return "—"
    if field not in kind.fields:
        return name
    spec = kind.fields[field]
    label = f"{spec.label.get(out.lang, field)} ({field})"
    return f"{label}: {spec.words(member, out.lang)}" if member else label
