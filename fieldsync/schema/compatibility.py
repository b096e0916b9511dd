"""Compatibility of new forms: they may not drop a field, a choice or a type, nor reuse a name.

Commits under every form that was ever in force may still arrive, so new forms are compared with all of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fieldsync.schema import toml_lines
from fieldsync.schema.lint import final_name
from fieldsync.schema.model import Field, Schema, Type

Json = dict[str, Any]
# values of the first are values of the second
_WIDER = {("int", "number"), ("text", "note"), ("choice", "text"), ("choice", "note"), ("phone", "text")}
_WORDS = ("label", "plural", "aliases", "hint", "message", "section", "sections", "title", "search", "version", "notes")

_SAID = ("label", "hint", "message", "section", "aliases")  # of a field


class FormChange(msgspec.Struct, frozen=True):
    """A change by new forms.

    what: "type_added", "type_retired", "type_returned", "field_added", "field_renamed", "field_retired", "field_returned",
    "field_changed", "choices_added", "choices_retired", "states_changed" or "words_changed".
    field: the field; absent if the change concerns the type.
    was: the former name of a renamed field.
    choices: the codes of the choices that were added, or retired.
    """

    type: str
    what: str
    field: str | msgspec.UnsetType = msgspec.UNSET
    was: str | msgspec.UnsetType = msgspec.UNSET
    choices: list[str] | msgspec.UnsetType = msgspec.UNSET


def list_changes(old: Schema, new: Schema) -> list[FormChange]:
    """Return the changes, type by type."""
    found: list[FormChange] = []
    for name, kind in new.types.items():
        before = old.types.get(name)
        if before is None:
            found.append(FormChange(name, "type_added"))
        else:
            found += _type_changes(before, kind)
    return found


def _type_changes(old: Type, new: Type) -> Iterator[FormChange]:
    if old.retired != new.retired:
        yield FormChange(new.name, "type_retired" if new.retired else "type_returned")
    was = {final_name(new.renamed, name): name for name in old.fields}
    told = False
    for name, field in new.fields.items():
        before = old.fields.get(was.get(name, ""))
        if before is None:
            yield FormChange(new.name, "field_added", field=name)
            continue
        if before.name != name:
            yield FormChange(new.name, "field_renamed", field=name, was=before.name)
        if before.retired != field.retired:
            yield FormChange(new.name, "field_retired" if field.retired else "field_returned", field=name)
        yield from _choice_changes(new.name, before, field)
        but = ("name", "choices", "retired")
        order = [code for code in field.codes if code in before.codes]
        if _without_words(before, but) != _without_words(field, but) or order != [
            code for code in before.codes if code in order
        ]:
            yield FormChange(new.name, "field_changed", field=name)
        told = told or [getattr(before, one) for one in _SAID] != [getattr(field, one) for one in _SAID]
        told = told or [c.label for c in before.choices] != [c.label for c in field.choices[: len(before.choices)]]
    if old.lifecycle != new.lifecycle:
        yield FormChange(new.name, "states_changed")
    told = told or any(
        tuple(final_name(new.renamed, one) for one in getattr(old, key)) != getattr(new, key)
        for key in ("title", "search")
    )
    told = told or msgspec.to_builtins(old.notes) != msgspec.to_builtins(new.notes)
    if told or any(getattr(old, key) != getattr(new, key) for key in ("label", "plural", "aliases", "sections")):
        yield FormChange(new.name, "words_changed")


def _choice_changes(type: str, old: Field, new: Field) -> Iterator[FormChange]:
    offered, now = {choice.code for choice in old.offered_choices}, [choice.code for choice in new.offered_choices]
    added, gone = [code for code in now if code not in offered], sorted(offered - set(now))
    if added:
        yield FormChange(type, "choices_added", field=new.name, choices=added)
    if gone:
        yield FormChange(type, "choices_retired", field=new.name, choices=gone)


def _without_words(value: Any, but: Sequence[str] = ()) -> Any:
    """Return a type or field without its words."""
    if isinstance(value, msgspec.Struct):
        names = (name for name in value.__struct_fields__ if name not in _WORDS and name not in but)
        return {name: _without_words(getattr(value, name)) for name in names}
    if isinstance(value, dict):  # its keys are the form's own names, such as a field called title
        return {name: _without_words(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_words(one) for one in value]
    return value


# --- what may not be --------------------------------------------------------------------------------------------------


def list_faults(old: Schema, new: Schema, past: Mapping[tuple[str, int], Type], texts: Mapping[str, str]) -> list[Json]:
    """Return why new forms may not follow on the old and all those of the past: {"file", "line", "code", "key", …}."""
    found: list[Json] = []
    for name, before in old.types.items():
        kind = new.types.get(name)
        if kind is None:
            found.append({"file": f"{name}.toml", "line": 1, "code": "removed_type", "key": "", "type": name})
            continue
        forms = [one for (type_, _), one in past.items() if type_ == name and one.version != before.version]
        wrong = list(_type_faults(before, forms, kind))
        lines = toml_lines.line_index(texts[f"{name}.toml"]) if wrong else {}
        for path, code, facts in wrong:
            found.append(
                {"file": f"{name}.toml", "line": _line_of(lines, path), "code": code, "key": ".".join(path), **facts}
            )
    unique = {msgspec.json.encode(fault): fault for fault in found}
    return sorted(unique.values(), key=lambda fault: (fault["file"], fault["line"]))


def _line_of(lines: Mapping[toml_lines.Path, int], path: toml_lines.Path) -> int:
    while path not in lines:
        path = path[:-1]
    return lines[path]


_Found = tuple[toml_lines.Path, str, Json]


def _type_faults(old: Type, past: Iterable[Type], new: Type) -> Iterator[_Found]:
    if new.version < old.version or (new.version == old.version and _without_words(old) != _without_words(new)):
        yield ("version",), "version_not_raised", {"version": old.version, "need": old.version + 1}
    if old.belongs_to and final_name(new.renamed, old.belongs_to) != new.belongs_to:
        yield ("belongs_to",), "owner_changed", {"field": old.belongs_to}
    if old.below != new.below:
        yield ("below",), "below_changed", {}
    if old.above != new.above:
        yield ("above",), "above_changed", {}
    for form in (old, *past):
        yield from _lost_fields(form, new)
    for name, field in old.fields.items():
        now = new.fields.get(final_name(new.renamed, name))
        if now is not None:
            lost = [code for code in field.codes if code not in now.codes]
            if lost:
                yield ("fields", now.name, "choices"), "removed_choice", {"field": now.name, "choices": lost}
            if moved := _reused_codes(field, now):
                yield ("fields", now.name, "choices"), "choice_moved", {"field": now.name, "choices": moved}


def _reused_codes(old: Field, new: Field) -> list[str]:
    """Return codes whose new label belongs to another choice, which would change the meaning of records."""
    was = {one.code: {words for words in one.label.values() if words} for one in old.choices}
    moved = []
    for one in new.choices:
        words = {text for text in one.label.values() if text}
        others = {text for code, texts in was.items() if code != one.code for text in texts}
        if one.code in was and words & others and not words & was[one.code]:
            moved.append(one.code)
    return moved


def _lost_fields(form: Type, new: Type) -> Iterator[_Found]:
    """Yield the fields of a form that would have no place any more, share one, or hold something else."""
    taken: dict[str, str] = {}
    for old, its in form.renamed.items():
        if final_name(new.renamed, old) != final_name(new.renamed, its):
            yield ("renamed",), "rename_dropped", {"field": its, "was": old}
    for name, field in form.fields.items():
        present = final_name(new.renamed, name)
        now = new.fields.get(present)
        if now is None:
            yield ("fields",), "removed_field", {"field": name}
        elif present in taken:
            yield ("renamed",), "fields_mixed", {"field": present, "was": sorted((name, taken[present]))}
        elif field.kind != now.kind:
            yield ("fields", present, "merge"), "kind_changed", {"field": present, "was": field.kind, "now": now.kind}
        elif field.type != now.type and (field.type, now.type) not in _WIDER:
            yield ("fields", present, "type"), "type_changed", {"field": present, "was": field.type, "now": now.type}
        taken.setdefault(present, name)
