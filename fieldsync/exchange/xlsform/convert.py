"""Conversion of XLSForms to record types: TOML as a person would write it, and a list of unsupported parts."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fieldsync import errors
from fieldsync.exchange.xlsform import toml_writer, workbook_reader
from fieldsync.exchange.xlsform import unsupported as lost
from fieldsync.exchange.xlsform.model import ConversionNote, FormQuestion, TypeDraft
from fieldsync.exchange.xlsform.questions import FormDraft
from fieldsync.schema import load

_SHEETS = ("survey", "choices", "settings", "entities")
_LAST = 1 << 30  # reports without a row come after those with one
_REF = re.compile(r"\$\{([^}]*)\}")
_LOOSE = ("rule", "relevant", "when", "pattern", "min", "max", "hxl", "filter", "formula", "default")
_THEIRS = {
    "rule": "constraint",
    "pattern": "constraint",
    "when": "required",
    "filter": "choice_filter",
    "formula": "calculation",
}
_ROUNDS = 20

Table = dict[str, Any]


class ConvertedForm(NamedTuple):
    """Files by name, the types in them, and what could not be carried."""

    texts: dict[str, str]
    types: list[str]
    notes: list[ConversionNote]


def read_xlsform(path: Path, *, type: str | None = None, beside: Mapping[str, str] | None = None) -> ConvertedForm:
    """Return the record types of an XLSForm; `beside` are the files that a folder has already. BadFile, Usage."""
    survey, book, left = workbook_reader.read(path)
    choices = list(book.choices or ())
    form = FormDraft(survey, list(book.survey or ()), path.stem, type, set(beside or ()), choices=choices)
    form.notes += left
    try:
        form.find_questions()
        form.translate_rules()
        form.resolve_references()
    except RecursionError as fault:
        raise errors.BadFile(file=path.name, reason="form_deep") from fault
    for sheet, row, column in lost.unsupported_of_form(list(book.settings or ()), list(book.entities or ())):
        form.notes.append(ConversionNote(sheet, row, "", column, "no_place"))
    _set_titles(form, book)
    title = str(survey.get("title") or path.stem)
    comment = f"Made from {path.name}: {title}"
    texts = _check_texts(path, form, comment)
    notes = sorted(form.notes, key=lambda note: (_SHEETS.index(note.sheet), note.row or _LAST))
    if not texts:  # no form was made; the reports say why
        raise errors.BadFile(file=path.name, reason="form_empty", left=[one._asdict() for one in notes])
    return ConvertedForm(texts, [kind.name for kind in form.kinds.values()], notes)


def _set_titles(form: FormDraft, book: Any) -> None:
    """Set record titles from an entity's label or an instance's name; ambiguous ones are listed."""
    for sheet, rows, column in (("settings", book.settings, "instance_name"), ("entities", book.entities, "label")):
        for number, row in enumerate(rows or (), 2):
            names = [one.strip() for one in _REF.findall(str(row.get(column) or ""))]
            kind = next((one for one in form.kinds.values() if names and all(name in one.raw for name in names)), None)
            if kind is not None:
                kind.title = list(dict.fromkeys(kind.raw[name] for name in names))
            elif row.get(column):
                form.notes.append(ConversionNote(sheet, number, "", column, "no_place"))


def _check_texts(path: Path, form: FormDraft, comment: str) -> dict[str, str]:
    """Return the types' files after a check: unsupported rules are removed and listed."""
    for _ in range(_ROUNDS):
        form.drop_empty_types()
        if not form.kinds:
            return {}
        texts = _form_texts(form, comment)
        try:
            load.load_texts(texts)
        except errors.SchemaFaults as faulty:
            faults: list[Table] = faulty.facts["faults"]  # type: ignore[assignment]
            mended = [_mend_fault(form, fault) for fault in faults]  # all of them, before the next look
            form.resolve_references()
            if not any(mended):
                one = faults[0]
                why = f"{one['file']} {one['key']}: {one['code']}"
                raise errors.BadFile(file=path.name, reason="form_refused", why=why) from faulty
        else:
            return texts
    raise errors.BadFile(file=path.name, reason="form_faulty")


def _mend_fault(form: FormDraft, fault: Mapping[str, Any]) -> bool:
    """Remove the part with a fault; return whether that was possible."""
    kind = form.kinds.get(str(fault["file"]).removesuffix(".toml"))
    parts = str(fault["key"]).split(".")
    drafts = {"fields": kind.questions, "notes": kind.notes}.get(parts[0], {}) if kind is not None else {}
    question = drafts.get(parts[1]) if len(parts) > 2 else None
    if kind is None or question is None or parts[2] not in _LOOSE or parts[2] not in question.field:
        return False
    form.note_loss(
        question, _THEIRS.get(parts[2], parts[2]), "unknown" if fault["code"] == "unknown_field" else str(fault["code"])
    )
    question.field.pop(parts[2])
    if parts[2] == "formula":
        kind.questions.pop(parts[1])
    if parts[2] == "when":
        question.field["required"] = "optional"
    return True


def _form_texts(form: FormDraft, comment: str) -> dict[str, str]:
    shared = _shared_lists(form)
    texts: dict[str, str] = {}
    for kind in form.kinds.values():
        fields = {name: _field_table(one, shared) for name, one in kind.questions.items()}
        named = [n for n, f in fields.items() if f["type"] == "text" and _is_name(f)]
        table: Table = {"version": 1, "label": kind.label, "plural": kind.label}
        if kind.owner:
            table["belongs_to"] = kind.owner
        title = [n for n in kind.title if n in named or _is_name(fields.get(n))] or named[:1]
        if title:
            table["title"] = title
        if named:
            table["search"] = named
        used = {f.get("section") for f in fields.values()}
        notes = {name: _note_table(kind, one) for name, one in kind.notes.items()}
        used |= {note.get("section") for note in notes.values()}
        table["sections"] = {name: words for name, words in kind.sections.items() if name in used}
        texts[f"{kind.name}.toml"] = toml_writer.type_file(comment, table | {"fields": fields, "notes": notes})
    if shared:
        texts[load.CHOICES] = toml_writer.choices_file(comment, {name: one.choices for name, one in shared.values()})
    return texts


def _is_name(field: Table | None) -> bool:
    """Return whether a field may be a title: user-given, single-valued, not sensitive."""
    return field is not None and field["merge"] not in ("derived", "set") and field["sensitivity"] <= 2


def _shared_lists(form: FormDraft) -> dict[str, tuple[str, FormQuestion]]:
    """Lists of choices that several questions have: by their name in the form, and here."""
    first: dict[str, FormQuestion] = {}
    shared: dict[str, tuple[str, FormQuestion]] = {}
    if load.CHOICES in form.taken:
        return {}  # the folder's own lists are left as they are
    for kind in form.kinds.values():
        for one in kind.questions.values():
            if one.choices and one.list:
                if one.list in first:
                    shared[one.list] = (one.list_name, first[one.list])
                else:
                    first[one.list] = one
    return shared


_ORDER = (
    *("type", "merge", "required", "when", "sensitivity", "section", "to", "relevant", "min", "max", "pattern", "past"),
    *("rule", "formula", "filter", "default", "hxl", "label", "hint", "message"),
)


def _note_table(kind: TypeDraft, note: FormQuestion) -> Table:
    made = {"before": kind.question_behind(note.name), **note.field}
    return {key: made[key] for key in ("before", "section", "relevant", "label") if made.get(key) not in (None, "", {})}


def _field_table(question: FormQuestion, shared: Mapping[str, tuple[str, FormQuestion]]) -> Table:
    field = {key: question.field[key] for key in _ORDER if question.field.get(key) not in (None, "", {})}
    if question.choices:
        field["choices"] = shared[question.list][0] if question.list in shared else question.choices
    return field
