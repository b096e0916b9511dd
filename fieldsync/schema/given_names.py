"""Record types and fields by user-given names: the form's own name, a label in any language, or an alias.

Unknown names are reported with similar ones. Only user input is resolved here: commits name types and fields
exactly.
"""

import unicodedata
from collections.abc import Iterable, Mapping

from fieldsync import errors
from fieldsync.core import names
from fieldsync.schema.model import Field, Schema, Type

_UNIT = frozenset({"unit", "الوحده", "وحده"})  # no field of a form: what every record has
_ENOUGH = 3  # letters of which more is to be found in longer names
_NEAR, _ALIKE = 3, 0.7
_SHORT, _SHORT_ALIKE = 4, 0.6  # one letter of four is a quarter of the word


def type_named(schema: Schema, given: str) -> Type:
    """Return the record type that somebody names. UnknownType, which names those that are like it."""
    kind = schema.types.get(given)
    if kind is not None:
        return kind
    words = {
        name: (name, *one.label.values(), *one.plural.values(), *one.aliases) for name, one in schema.types.items()
    }
    found = _lookup(given, words)
    if isinstance(found, str):
        return schema.types[found]
    facts = {"reason": "near", "near": found} if found else {}
    raise errors.UnknownType(type=given, known=list(schema.types), **facts)


def field_named(kind: Type, given: str) -> Field:
    """Return the field of a type that somebody names. UnknownField, which names those that are like it."""
    return kind.fields.get(given) or kind.fields[_field_name([kind], given)]


def field_name_in(kinds: Iterable[Type], given: str) -> str:
    """Return the name of the field that somebody names of any of these types. UnknownField."""
    several = list(kinds)
    if any(given in kind.fields for kind in several):
        return given
    return _field_name(several, given)


def condition_name(kind: Type, given: str) -> str:
    """Return the name in a condition FIELD=VALUE: a field's, or `unit`. UnknownField."""
    if given in kind.fields:
        return given
    return "unit" if names.fold_text(given) in _UNIT else _field_name([kind], given)


def _field_name(kinds: list[Type], given: str) -> str:
    spoken: dict[str, list[str]] = {}
    for kind in kinds:
        for name, field in kind.fields.items():
            spoken.setdefault(name, [name]).extend((*field.label.values(), *field.aliases))
    found = _lookup(given, spoken)
    if isinstance(found, str):
        return found
    facts = {"reason": "near", "near": found} if found else {}
    raise errors.UnknownField(type=kinds[0].name, field=given, known=list(kinds[0].fields), **facts)


def _lookup(given: str, spoken: Mapping[str, Iterable[str]]) -> str | list[str]:
    """Return the name that matches a given one, exactly or by label; else similar ones."""
    keys: dict[str, dict[str, None]] = {}
    for name, words in spoken.items():
        for one in words:
            keys.setdefault(_key(one), {})[name] = None
    asked = _key(given)
    meant = list(keys.get(asked, ()))
    if len(meant) == 1:
        return meant[0]
    if meant:
        return meant[:_NEAR]
    from difflib import get_close_matches  # computed only for an error

    alike = _ALIKE if len(asked) > _SHORT else _SHORT_ALIKE
    near = get_close_matches(asked, keys, n=_NEAR, cutoff=alike)
    if len(asked) >= _ENOUGH:
        near += [key for key in keys if asked in key]
    if not near:
        keys = _keys_of_parts(spoken)
        near = get_close_matches(asked, keys, n=_NEAR, cutoff=alike)
    return list(dict.fromkeys(name for key in near for name in keys[key]))[:_NEAR]


def _keys_of_parts(spoken: Mapping[str, Iterable[str]]) -> dict[str, dict[str, None]]:
    """Return the keys of single words: one word of a label, nearly right, is enough to offer it."""
    found: dict[str, dict[str, None]] = {}
    for name, words in spoken.items():
        for part in {part for one in words for part in one.replace("_", " ").split()}:
            if len(key := _key(part)) >= _ENOUGH:
                found.setdefault(key, {})[name] = None
    return found


def _key(words: str) -> str:
    """Return words as they are compared: Arabic spelling, articles, capitals, spaces and underscores make no difference; signs do."""
    signs = "".join(one for one in words if (unicodedata.category(one)[:1] in "PS" and one not in "_-") or one < " ")
    return ("".join(names.name_tokens(words)) or words.casefold()) + signs
