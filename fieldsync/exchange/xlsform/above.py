"""Questions of a parent record in a repeat's conditions and calculations: each becomes a computed field of the repeat."""

from collections.abc import Iterable
from dataclasses import replace

from fieldsync.exchange.xlsform.model import FormQuestion, TypeDraft
from fieldsync.exchange.xlsform.names import name_of
from fieldsync.exchange.xlsform.tokens import Untranslated, referenced_question, split_tokens
from fieldsync.schema.load import RESERVED_FIELDS


def fields_from_above(kind: TypeDraft, above: TypeDraft, texts: Iterable[str]) -> dict[str, FormQuestion]:
    """Return such a field for each question above that these expressions name, by its name in the form.

    A list of several answers cannot be had from another record.
    """
    found: dict[str, FormQuestion] = {}
    for raw in dict.fromkeys(raw for text in texts for raw in _named_in(text)):
        field = above.questions.get(above.raw.get(raw, ""))
        if raw in kind.raw or field is None or field.field.get("merge") == "set":
            continue
        taken = {*kind.questions, *RESERVED_FIELDS, *(one.name for one in found.values())}
        kept = {key: field.field[key] for key in ("type", "sensitivity", "label")}
        kept["label"] = dict(kept["label"])  # what it speaks of has another name here
        made = kept | {"merge": "derived", "formula": f"of({kind.owner}.{field.name})"}
        found[raw] = replace(
            field, name=name_of(f"{kind.owner}_{field.name}", taken), field=made, relevant=[], place=()
        )
    return found


def _named_in(text: str) -> list[str]:
    try:
        return [raw for token in split_tokens(text) if (raw := referenced_question(token))]
    except Untranslated:
        return []  # reported where it is translated
