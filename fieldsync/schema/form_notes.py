"""Notes that a form shows beside its questions, and their position; they take no answer and are not stored."""

from functools import lru_cache

from fieldsync.schema import validate
from fieldsync.schema.expressions import lookups, parser
from fieldsync.schema.model import Type


def notes_shown(
    kind: Type, doc: validate.Doc, today: str, finder: lookups.RecordSource | None = None
) -> dict[str, list[str]]:
    """Return the notes shown for these answers, by the field they precede; "" for the end."""
    if not kind.notes:
        return {}
    full = validate.whole_document(kind, doc, today, finder)
    found: dict[str, list[str]] = {}
    for name, note in kind.notes.items():
        if not note.relevant or _compiled(note.relevant).holds_for(full, today):
            found.setdefault(note.before, []).append(name)
    return found


@lru_cache(maxsize=1024)
def _compiled(text: str) -> parser.Expression:
    return parser.compile_expression(text)
