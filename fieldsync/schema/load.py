"""The only reader of schema files: TOML texts in, a checked Schema or all their faults out.

A folder holds one file per record type, named after it, and `choices.toml` with shared lists of choices.
docs/formats/schema.md describes the keys; schema/lint.py checks their consistency.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from fieldsync import errors
from fieldsync.core.lifecycle import APPROVAL, Lifecycle
from fieldsync.schema import form_sections, lint, toml_lines
from fieldsync.schema.labels import languages_of
from fieldsync.schema.model import Choice, Field, Schema, Type, make_schema
from fieldsync.schema.source_file import NAME, SourceFile, Table, parse_toml

CHOICES = "choices.toml"
_MAX_PUBLISHED = 4_096
PUBLISHED = "published.toml"  # written by `schema publish`: how often the forms were published
_CODE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,255}")
# What 0.1 took: nothing runs away with it, a pattern that cannot be used is not asked, a circle is unknown.
_TAKEN_ONCE = frozenset({"bad_pattern", "formula_circle"})
# Names that a record, its JSON or the store's tables have already.
RESERVED_FIELDS = frozenset(
    {"id", "code", "type", "unit", "created", "updated", "deleted", "conflicts", "unsent", "fields"}
)
RESERVED_TYPES = frozenset(
    {"record", "commit_log", "channel_entry", "channel", "register", "device", "invite", "unit"}
    | {"setting", "cursor", "search", "receipt", "choices", "published", "main", "temp"}
)

_TYPE_KEYS: dict[str, type | tuple[type, ...]] = {
    "label": dict,
    "plural": dict,
    "aliases": list,
    "version": int,
    "belongs_to": str,
    "below": bool,
    "above": bool,
    "title": list,
    "search": list,
    "states": dict,
    "forks": list,
    "beats": list,
    "sections": dict,
    "renamed": dict,
    "due": dict,
    "doubles": dict,
    "retired": bool,
    "notes": dict,
    "fields": dict,
}
_FIELD_KEYS: dict[str, type | tuple[type, ...]] = {
    "type": str,
    "merge": str,
    "label": dict,
    "aliases": list,
    "hint": dict,
    "message": dict,
    "required": str,
    "when": str,
    "relevant": str,
    "rule": str,
    "warn": str,
    "formula": str,
    "filter": str,
    "default": str,
    "sensitivity": int,
    "section": str,
    "choices": (str, dict),
    "to": list,
    "or_text": bool,
    "over": list,
    "by": (list, dict),
    "forks": list,
    "min": (int, float, dt.date),
    "max": (int, float, dt.date),
    "pattern": str,
    "year": str,
    "past": bool,
    "country": str,
    "hxl": str,
    "retired": bool,
}
_STATE_KEYS: dict[str, type | tuple[type, ...]] = {
    "next": list,
    "start": bool,
    "by": (list, dict),
    "retired": bool,
}
_CHOICE_KEYS: dict[str, type] = {"retired": bool, "marks": dict}

Fault = dict[str, Any]
Roles = dict[str, tuple[str, ...]]  # of a field, see model.Field.by


def is_code(text: str) -> bool:
    """Return whether a text can be a choice's code: one line that is not empty; other programs' codes stay as they are."""
    return _CODE.fullmatch(text) is not None and bool(text.strip())


def shipped_texts() -> dict[str, str]:
    """The texts of the types that come with the program, by file name."""
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "schemas", here.parents[2] / "schemas"):
        if folder.is_dir():
            return read_folder(folder)
    raise errors.BadFile(file="schemas", reason="missing")


def read_folder(folder: Path) -> dict[str, str]:
    """The texts of all *.toml files of a folder, by file name; raises BadFile."""
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")):
        texts |= read_file(path)
    if not texts:
        raise errors.BadFile(file=folder.name, reason="no_schema")
    return texts


def read_file(path: Path) -> dict[str, str]:
    """The text of one file of forms, by its name; raises BadFile."""
    if path.suffix != ".toml":
        raise errors.BadFile(file=path.name, reason="no_schema")
    try:
        return {path.name: path.read_text(encoding="utf-8")}
    except (OSError, UnicodeDecodeError) as error:
        raise errors.BadFile(file=path.name, reason="unreadable") from error


def load_folder(folder: Path) -> Schema:
    """The schema of a folder; raises SchemaFaults with all its faults, or BadFile."""
    return load_texts(read_folder(folder))


def load_texts(texts: Mapping[str, str], *, published: bool = False) -> Schema:
    """The schema of {file name: text}; raises SchemaFaults with everything that is wrong.

    What was `published` by an older release may have what is refused today in new forms.
    """
    # how often they were published makes no other forms of them
    types, faults = _load_cached(
        frozenset((name, text) for name, text in texts.items() if name != PUBLISHED or SourceFile(name, text).faults)
    )
    if wrong := [fault for fault in faults if not (published and fault["code"] in _TAKEN_ONCE)]:
        raise errors.SchemaFaults(faults=wrong)
    return types


@lru_cache(maxsize=4)  # whoever puts forms in force has just compared them
def _load_cached(texts: frozenset[tuple[str, str]]) -> tuple[Schema, list[Fault]]:
    files = {name: SourceFile(name, text) for name, text in sorted(texts)}
    shared = _shared_choices(files[CHOICES]) if CHOICES in files else {}
    types: dict[str, Type] = {}
    for name, file in files.items():
        if name not in (CHOICES, PUBLISHED) and file.table is not None:
            kind = _read_type(file, shared)
            types[kind.name] = kind
    for name, kind in types.items():
        lint.lint_type(kind, types, files[f"{name}.toml"].add_fault)
    faults = [fault for file in files.values() for fault in file.faults]
    faults.sort(key=lambda fault: (str(fault["file"]), fault["line"]))
    return make_schema(types), faults


def publication_number(texts: Mapping[str, str]) -> int:
    """Return the number of publications of these forms: the larger number is the newer schema."""
    found = publication_table(texts).get("number", 0)
    return found if isinstance(found, int) else 0


def publication_table(texts: Mapping[str, str]) -> Table:
    """Return the few lines on forms' publication; empty for anything else."""
    text = texts.get(PUBLISHED, "")
    try:
        return parse_toml(text) if len(text) <= _MAX_PUBLISHED else {}
    except tomllib.TOMLDecodeError:
        return {}


def _shared_choices(file: SourceFile) -> dict[str, tuple[Choice, ...]]:
    lists: dict[str, tuple[Choice, ...]] = {}
    for name, table in (file.table or {}).items():
        first = next(iter(table.values()), None) if isinstance(table, dict) else None
        file.languages = languages_of(first, but=_CHOICE_KEYS)
        lists[name] = _read_choices(file, table, (name,))
    return lists


def _read_choices(file: SourceFile, table: object, path: toml_lines.Path) -> tuple[Choice, ...]:
    if not isinstance(table, dict) or not table:
        file.add_fault(path, "no_choices")
        return ()
    found: list[Choice] = []
    for code, given in table.items():
        here = (*path, code)
        words = file.known_keys(given, here, file.language_keys | _CHOICE_KEYS)
        if not is_code(code):
            file.add_fault(here, "bad_name")
        file.check_words(words, here)
        label = file.label_of(words)
        marks = words.get("marks", {})
        if not all(NAME.fullmatch(name) and isinstance(mark, str) for name, mark in marks.items()):
            file.add_fault((*here, "marks"), "wrong_kind")
            marks = {}
        found.append(Choice(code, label, words.get("retired", False), marks))
    return tuple(found)


def _read_type(file: SourceFile, shared: Mapping[str, tuple[Choice, ...]]) -> Type:
    name = file.name.removesuffix(".toml")
    if not NAME.fullmatch(name) or name in RESERVED_TYPES:
        file.add_fault((), "bad_name")
    table = file.known_keys(file.table, (), _TYPE_KEYS)
    file.languages = languages_of(table.get("label"))
    for key in ("version", "fields"):
        if key not in table:
            file.add_fault((key,), "missing_key", missing=key)
    lifecycle, states, by = _read_lifecycle(file, table)
    fields: dict[str, Field] = {}
    for field_name, given in table.get("fields", {}).items():
        path = ("fields", field_name)
        if not NAME.fullmatch(field_name) or field_name in RESERVED_FIELDS:
            file.add_fault(path, "bad_name")
        fields[field_name] = _read_field(file, field_name, given, shared, states, by)
    sections = table.get("sections", {})
    for section, words in sections.items():
        file.check_words(file.known_keys(words, ("sections", section), file.language_keys), ("sections",))
    renamed = table.get("renamed", {})
    if not all(isinstance(new, str) for new in renamed.values()):
        file.add_fault(("renamed",), "wrong_kind")
        renamed = {}
    return Type(
        name=name,
        label=file.read_label(table, "label", (), needed=True),
        plural=file.read_label(table, "plural", (), needed=True),
        aliases=file.word_list(table.get("aliases"), ("aliases",)),
        version=table.get("version", 1),
        fields=fields,
        belongs_to=table.get("belongs_to"),
        below=table.get("below", False),
        above=table.get("above", False),
        lifecycle=lifecycle,
        title=file.word_list(table.get("title"), ("title",)),
        search=file.word_list(table.get("search"), ("search",)),
        sections=sections,
        renamed=renamed,
        due={name: form_sections.read_due(file, name, given) for name, given in table.get("due", {}).items()},
        doubles={
            name: form_sections.read_double(file, name, given) for name, given in table.get("doubles", {}).items()
        },
        retired=table.get("retired", False),
        notes={name: form_sections.read_note(file, name, given) for name, given in table.get("notes", {}).items()},
    )


def _read_lifecycle(file: SourceFile, table: Table) -> tuple[Lifecycle | None, tuple[Choice, ...], Roles]:
    if "states" not in table:
        return None, (), {}
    transitions: dict[str, tuple[str, ...]] = {}
    choices: list[Choice] = []
    starts: list[str] = []
    by: Roles = {}
    for state, given in table["states"].items():
        path = ("states", state)
        words = file.known_keys(given, path, file.language_keys | _STATE_KEYS)
        if not NAME.fullmatch(state):
            file.add_fault(path, "bad_name")
        file.check_words(words, path)
        transitions[state] = file.word_list(words.get("next", []), (*path, "next"))
        by |= {f"{step}>{state}" if step else state: roles for step, roles in _read_roles(file, words, path).items()}
        if words.get("start"):
            starts.append(state)
        choices.append(Choice(state, file.label_of(words), words.get("retired", False)))
    if not choices:
        file.add_fault(("states",), "no_states")
        return None, (), {}
    return (
        Lifecycle(
            tuple(transitions),
            transitions,
            forks=_read_pairs(file, table, "forks"),
            beats=_read_pairs(file, table, "beats"),
            starts=tuple(starts),
        ),
        tuple(choices),
        by,
    )


def _read_roles(file: SourceFile, table: Table, path: toml_lines.Path) -> Roles:
    """Read the writing roles: a list for any value (""), or a table with a list for each."""
    given = table.get("by", {})
    lists = given if isinstance(given, dict) else {"": given}
    return {step: file.word_list(roles, (*path, "by")) for step, roles in lists.items()}


def _read_pairs(file: SourceFile, table: Table, key: str, path: toml_lines.Path = ()) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for pair in table.get(key, []):
        names = file.word_list(pair, (*path, key))
        if len(names) == 2:
            pairs.append((names[0], names[1]))
        else:
            file.add_fault((*path, key), "not_a_pair")
    return tuple(pairs)


_APPROVAL_WORDS = {
    "requested": {"en": "Requested", "ar": "قيد الطلب"},
    "approved": {"en": "Approved", "ar": "معتمد"},
    "rejected": {"en": "Rejected", "ar": "مرفوض"},
}


def _read_field(
    file: SourceFile,
    name: str,
    given: object,
    shared: Mapping[str, tuple[Choice, ...]],
    states: tuple[Choice, ...],
    by: Roles,
) -> Field:
    path = ("fields", name)
    table = file.known_keys(given, path, _FIELD_KEYS)
    for key in ("type", "merge", "sensitivity"):
        if key not in table:
            file.add_fault(path, "missing_key", missing=key)
    choices: tuple[Choice, ...] = ()
    if isinstance(table.get("choices"), str):
        listed = table["choices"]
        choices = shared.get(listed, ())
        if listed not in shared:
            file.add_fault((*path, "choices"), "unknown_choices", known=sorted(shared))
    elif "choices" in table:
        choices = _read_choices(file, table["choices"], (*path, "choices"))
    if table.get("type") == "state":
        choices = states
    elif table.get("type") == "approval":
        choices = tuple(Choice(state, _APPROVAL_WORDS[state]) for state in APPROVAL.states)
    plain = {
        key: table[key]
        for key in ("required", "when", "relevant", "rule", "warn", "formula", "filter", "default", "section")
        if key in table
    } | {key: table[key] for key in ("pattern", "year", "past", "country", "hxl", "retired", "or_text") if key in table}
    return Field(
        name=name,
        type=table.get("type", ""),
        merge=table.get("merge", ""),
        label=file.read_label(table, "label", path, needed=True),
        hint=file.read_label(table, "hint", path, needed=False),
        aliases=file.word_list(table.get("aliases"), (*path, "aliases")),
        message=file.read_label(table, "message", path, needed=False),
        sensitivity=table.get("sensitivity", 4),
        choices=choices,
        to=file.word_list(table.get("to"), (*path, "to")),
        over=file.word_list(table.get("over"), (*path, "over")),
        by=by if table.get("type") == "state" else _read_roles(file, table, path),
        forks=_read_pairs(file, table, "forks", path),
        min=_limit_value(table.get("min")),
        max=_limit_value(table.get("max")),
        **plain,
    )


def _limit_value(value: object) -> int | float | str | None:
    """A limit as it is kept: dates become their text."""
    if isinstance(value, dt.date):
        return value.isoformat()[:10]
    return value if isinstance(value, int | float) else None
