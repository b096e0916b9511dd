"""Initial values of a new record's form: each field's `default`, which the user sees and may change.

Records made without a form (`add --set`, files) get none, as nobody would have seen them.
"""

from collections.abc import Mapping
from functools import lru_cache

from fieldsync import errors
from fieldsync.schema.expressions import functions, parser
from fieldsync.schema.model import Field
from fieldsync.schema.values import value_normaliser

_ANY_DAY = "2026-01-01"  # for a default that says today, which is as legal on any other


def default_value(field: Field, doc: Mapping[str, object], today: str) -> object:
    """Return a field's default beside the other answers, None where it has none now; a set's are the words of a text."""
    value = _compiled(field.default).evaluate(doc, today) if field.default else None
    if field.kind == "set" and value is not None:
        return functions.to_text(value).split() or None
    if field.type == "date" and functions.to_moment(value) is not None:
        return str(value)[: len(_ANY_DAY)]
    return None if value == "" else value


def illegal_default(field: Field) -> str:
    """Return why a field cannot hold its default, "" where it can, or where that depends on the other answers."""
    try:
        if _compiled(field.default).names:
            return ""
    except parser.ExpressionError:
        return ""  # reported already
    value = default_value(field, {}, _ANY_DAY)
    try:
        for one in value if isinstance(value, list) else [value]:
            value_normaliser(field)(one)
    except errors.IllegalValue as fault:
        return str(fault.facts["reason"])
    return ""


@lru_cache(maxsize=1024)
def _compiled(text: str) -> parser.Expression:
    return parser.compile_expression(text)
