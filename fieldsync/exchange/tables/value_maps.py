"""Value maps: a file's words that are not among a field's choices, as the user translated them; remembered for the record type."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from fieldsync import errors
from fieldsync.core import names
from fieldsync.exchange.tables.cells import Normal
from fieldsync.replica.composite_fields import name_type_in_errors
from fieldsync.schema import given_names, set_members, validate
from fieldsync.schema.model import Field, Type
from fieldsync.schema.text_cleaning import loose_text
from fieldsync.store import ReadTx, Tx

ValueMaps = dict[str, dict[str, str]]  # field → what a cell says → the code that is meant; "" for nothing
_CLOSE = 0.7
_MOST = 500  # unknown words of a field that are kept


def parse_maps(words: Iterable[str], kind: Type) -> ValueMaps:
    """Return the maps of words FIELD:FROM=TO. Usage, UnknownField, IllegalValue."""
    found: ValueMaps = {}
    for word in words:
        name, colon, rest = word.partition(":")
        if not colon or "=" not in rest:
            raise errors.Usage(reason="value_pair")
        spec = given_names.field_named(kind, name.strip())
        with name_type_in_errors(kind):
            told, to = _split_map(spec, rest)
        found.setdefault(spec.name, {})[lookup_key(told)] = to
    return found


def _split_map(spec: Field, rest: str) -> tuple[str, str]:
    """Return both sides of FROM=TO; either may contain `=`, if the right one is legal."""
    refused: errors.IllegalValue | None = None
    for at in (at for at, sign in enumerate(rest) if sign == "="):
        to = rest[at + 1 :]
        try:
            return rest[:at], target_value(spec, to)
        except errors.IllegalValue as fault:
            refused = fault
    assert refused is not None
    raise refused


def target_value(spec: Field, to: str) -> str:
    """Return the stored value of a map's right side. IllegalValue."""
    if not to.strip():
        return ""
    found = validate.check_new_member(spec, to) if spec.kind == "set" else validate.value_normaliser(spec)(to)
    return "" if found is None else str(found)


def lookup_key(text: str) -> str:
    """Return a cell's words as they are looked up."""
    return names.strip_invisible(text).casefold()


def load_maps(tx: ReadTx, kind: Type) -> ValueMaps:
    """Return the stored value maps of a type."""
    return tx.settings.value_maps[kind.name]


def store_maps(tx: Tx, kind: Type, maps: ValueMaps) -> None:
    """Store the user's value maps."""
    if maps:
        tx.settings.value_maps[kind.name] = merge_maps(load_maps(tx, kind), maps)


def merge_maps(before: ValueMaps, now: Mapping[str, Mapping[str, str]]) -> ValueMaps:
    """Return maps with newer ones over them."""
    return {name: {**before.get(name, {}), **now.get(name, {})} for name in {*before, *now}}


def mapped_normaliser(spec: Field, maps: Mapping[str, str], normal: Normal, unknown: dict[str, None]) -> Normal:
    """Return `normal` with value maps applied; words that match no choice are added to `unknown`."""

    def one(text: str) -> str | None:
        return maps.get(lookup_key(text), text) or None

    def value(cell: object) -> object:
        if not isinstance(cell, str):
            return normal(cell)
        if spec.kind != "set":
            return _note_unknown(normal, one(cell), unknown)
        given = set_members.typed_members(spec, cell) if maps else [cell]
        parts = [one(part) for part in given]
        whole: Any = one(cell)
        if whole == cell and parts != given:  # a cell that no map touches is read as it is
            whole = [part for part in parts if part is not None]
        try:
            return normal(whole)
        except errors.IllegalValue:
            for part in set_members.typed_members(spec, cell):
                if (asked := one(part)) is not None:
                    _note_unknown(normal, asked, unknown)
            raise

    return value if maps or spec.type == "choice" else normal


def _note_unknown(normal: Normal, cell: object, unknown: dict[str, None]) -> object:
    try:
        return normal(cell)
    except errors.IllegalValue as refused:
        if refused.facts.get("reason") == "not_choice" and len(unknown) < _MOST:
            unknown[str(cell)] = None
        raise


def likely_choice(spec: Field, text: str) -> str:
    """Return the code of the choice that a word is most like, "" for none or several."""
    whole: dict[str, set[str]] = {}
    parts: dict[str, set[str]] = {}
    for one in spec.offered_choices:
        for said in (one.code, *one.label.values()):
            word = loose_text(lookup_key(said))
            whole.setdefault(word, set()).add(one.code)
            for part in word.split():
                parts.setdefault(part, set()).add(one.code)
    wanted = loose_text(lookup_key(text))
    for words in (whole, parts):
        close = difflib.get_close_matches(wanted, words, n=1, cutoff=_CLOSE)
        if close:
            return next(iter(words[close[0]])) if len(words[close[0]]) == 1 else ""
    within = {code for word, codes in whole.items() if len(wanted) > 2 and wanted in word for code in codes}
    return within.pop() if len(within) == 1 else ""
