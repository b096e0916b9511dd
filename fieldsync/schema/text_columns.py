"""A column of plain text read at once: the stored values that `value_normaliser` gives cell by cell, for far less work."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from unicodedata import is_normalized

from fieldsync.schema.damaged_text import NUMBER_BEGINS, STAND_INS, WORD_BEGINS, has_suspect_sign
from fieldsync.schema.model import Field
from fieldsync.schema.value_text import text_limit

_SUSPECT_BEGINS = WORD_BEGINS | {" "}
_first_sign = itemgetter(0)

ColumnReader = Callable[[Sequence[str | None]], list[str | None] | None]


def text_column_reader(field: Field) -> ColumnReader | None:
    """Return a reader of whole columns for a field of plain text, None for every other field.

    The reader returns None for a column with any cell that has to be looked at by itself.
    """
    constrained = field.pattern or field.min or field.or_text or field.to or field.choices
    if field.kind != "plain" or field.type != "text" or constrained:
        return None
    limit = text_limit(field)

    def read_column(cells: Sequence[str | None]) -> list[str | None] | None:
        texts = list(filter(None, cells))
        letters = "".join(texts)
        if not letters.isprintable() or not is_normalized("NFKC", letters) or has_suspect_sign(letters):
            return None
        begins = set(map(_first_sign, texts))
        scientific = ("e" in letters or "E" in letters) and not begins.isdisjoint(NUMBER_BEGINS)
        if scientific or not begins.isdisjoint(_SUSPECT_BEGINS) or max(map(len, texts), default=0) > limit:
            return None
        found = [cell.strip() or None if cell else None for cell in cells]
        return found if STAND_INS.isdisjoint(found) else None

    return read_column
