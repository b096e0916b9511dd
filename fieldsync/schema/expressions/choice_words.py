"""Functions for a field's choices beside their codes: `label(field)` and `mark(field, 'name')`.

Each applies to the field's choice, or to the code in its last argument. A label is in the reader's language.
"""

from collections.abc import Callable, Mapping, Sequence

from fieldsync.schema.expressions.functions import to_text
from fieldsync.schema.labels import label_in, list_comma, reader_language
from fieldsync.schema.model import Choice, Field

CHOICES = "choices()"  # where a document carries the fields of its type; no field can be called so
FUNCTIONS = {"label": (1, 2), "mark": (2, 3)}  # how many arguments at least, at most; the first is a field's name

Doc = Mapping[str, object]
Node = Callable[[Doc, str], object]


def choice_node(name: str, field: str, given: Sequence[Node]) -> Node:
    """Return how the words of a field's choices are found for a document on a day."""

    def answer(doc: Doc, today: str) -> object:
        fields: Mapping[str, Field] = doc.get(CHOICES, {})  # type: ignore[assignment]
        if field not in fields:
            return None
        value = given[-1](doc, today) if len(given) == FUNCTIONS[name][1] else doc.get(field)
        codes = {to_text(one) for one in (value if isinstance(value, list | tuple) else [value])}
        chosen = [choice for choice in fields[field].choices if choice.code in codes]
        asked = to_text(given[1](doc, today)) if name == "mark" else ""
        return (
            list_comma(reader_language.get()).join(filter(None, (_words_of(one, name, asked) for one in chosen)))
            or None
        )

    return answer


def _words_of(choice: Choice, name: str, mark: str) -> str:
    return choice.marks.get(mark, "") if name == "mark" else label_in(choice.label, reader_language.get(), choice.code)
