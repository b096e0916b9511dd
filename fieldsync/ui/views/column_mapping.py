"""The mapping of a file's columns and words, shown for confirmation before an import."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fieldsync import errors
from fieldsync.core import names
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Field, Type
from fieldsync.ui.views.tables import Tables

_YES = {"", "y", "yes", "نعم", "ن"}
_NO = {"n", "no", "لا", "ل"}
_MOST = 40  # words that a person is asked about at once


class Reading(NamedTuple):
    """The reading of a file's words: normalisation for look-up, similar choices, and a choice's label."""

    key: Callable[[str], str]
    likely: Callable[[Field, str], str]
    meant: Callable[[Field, str], str]


def confirmed(out: Tables, kind: Type, found: Sequence[tuple[str, str, str]]) -> bool:
    """Show each column with its field and the basis; ask for confirmation. Enter confirms."""
    rows: list[list[object]] = [
        [header, _field(out, kind, name), out.phrase(f"columns_by_{by or 'nothing'}")] for header, name, by in found
    ]
    out.table([out.phrase("columns_column"), out.phrase("columns_field"), out.phrase("columns_by")], rows)
    while (said := out.ask(out.phrase("columns_right") + " ").strip().casefold()) not in _YES | _NO:
        pass
    return said in _YES


def _field(out: Tables, kind: Type, name: str) -> str:
    field, _, member = name.partition("/")
    if not name:
        return "—"
    if field not in kind.fields:
        return name
    spec = kind.fields[field]
    label = f"{label_in(spec.label, out.lang, field)} ({field})"
    return f"{label}: {spec.value_words(member, out.lang)}" if member else label


def values_asked(
    out: Tables, kind: Type, unknown: Mapping[str, Mapping[str, None]], reading: Reading, *, skip_bad: bool
) -> dict[str, dict[str, str]]:
    """Ask for the choices of unknown words; return the answers. Enter accepts a proposal.

    Rows whose word gets none are left out with `skip_bad`; else they are refused, and with them the file.
    """
    said: dict[str, dict[str, str]] = {}
    for name, words in unknown.items():
        spec = kind.fields[name]
        if not words or not spec.choices:
            continue
        choices = [f"{at} {label_in(one.label, out.lang, one.code)}" for at, one in enumerate(spec.offered_choices, 1)]
        out.say("values_field", field=out.label(kind, name), choices=out.several(choices))
        for word in list(words)[:_MOST]:
            code = _value(out, kind, spec, word, reading, skip_bad=skip_bad)
            if code is not None:
                said.setdefault(name, {})[reading.key(word)] = code
    return said


def _value(out: Tables, kind: Type, spec: Field, word: str, reading: Reading, *, skip_bad: bool) -> str | None:
    """Return the choice given for a word; None to leave its rows as they are."""
    near = reading.likely(spec, word)
    key = ("values_ask_near" if near else "values_ask") + ("" if skip_bad else "_all")
    while True:
        given = out.ask(
            out.phrase(key, word=out.safe(word), near=out.format_value(kind, spec.name, near) if near else "") + " "
        ).strip()
        plain = names.strip_invisible(given)
        if not given:
            return near or None
        if given == "?":
            return None
        if given == "-":
            return ""
        if plain.isdecimal() and plain not in spec.codes and 1 <= int(plain) <= len(spec.offered_choices):
            return spec.offered_choices[int(plain) - 1].code
        try:
            return reading.meant(spec, given)
        except errors.IllegalValue:
            out.say("values_none", word=out.safe(given))


def reason(out: Tables, row: int, column: str | None, because: str | None) -> None:
    """A row that was refused, with its reason."""
    if column:
        out.say("rejected_line", row=row, column=out.safe(column), because=because)
    else:
        out.say("rejected_row_line", row=row, because=because)
