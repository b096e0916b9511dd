"""The tables of items on docs/formats' pages: what a struct says of itself, to be compared with the page."""

import json
import re
from typing import Any

import msgspec
from msgspec import inspect

_HEADING = re.compile(r"^#+ |^(?:An? )?\*\*\w", re.MULTILINE)
_ROW = re.compile(r"^\| (\d+) \| `(\w+)` \| (.*?) \| (.*?) \|", re.MULTILINE)

Item = tuple[str, str, str, str]
"""Number, name, type, and what stands for it where it is missing."""


def items_of(kind: type[msgspec.Struct]) -> list[Item]:
    """Return a struct's items as a page shows them."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return [(str(n), field.name, _type(field.type), _default(field)) for n, field in enumerate(info.fields)]


def items_on(page: str, place: str) -> list[Item]:
    """Return the items of the table behind a heading, or behind a paragraph that begins with bold words."""
    start = re.search(rf"^(?:#+ |(?:An? )?\*\*){re.escape(place)}\b", page, re.MULTILINE)
    if start is None:
        return []
    end = _HEADING.search(page, start.end())
    return [row.groups() for row in _ROW.finditer(page[start.end() : end.start() if end else len(page)])]  # type: ignore[misc]  # four groups


def _default(field: inspect.Field) -> str:
    if field.required:
        return "–"
    value = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    if value is None:
        return "nil"
    return "empty" if value == b"" else f"`{json.dumps(value)}`"


def _type(told: inspect.Type) -> str:
    match told:
        case inspect.Metadata():
            return _type(told.type)
        case inspect.IntType(ge=ge):
            return "count" if ge == 0 else "int"
        case inspect.BytesType(min_length=low, max_length=high):
            return "bytes" if high is None else f"{high} bytes" if low == high else f"bytes (≤ {high})"
        case inspect.StrType(max_length=high):
            return "text" if high is None else f"text (≤ {high})"
        case inspect.BoolType():
            return "bool"
        case inspect.VarTupleType(item_type=item, max_length=high):
            return f"array of {_type(item)}" if high is None else f"array (≤ {high}) of {_type(item)}"
        case inspect.TupleType(item_types=parts):
            return f"[{', '.join(map(_type, parts))}]"
        case inspect.DictType(key_type=key, value_type=value):
            return f"map of {_type(key)} → {_type(value)}"
        case inspect.StructType(cls=cls):
            return str(cls.__name__)
        case inspect.UnionType(types=types):
            some = [one for one in types if not isinstance(one, inspect.NoneType)]
            return " or ".join([*map(_type, some), "nil"]) if len(some) < len(types) else _any(types)
    return "value"


def _any(types: Any) -> str:
    return "value" if len(types) > 2 else " or ".join(map(_type, types))
