"""XLSForms into record types: what a workbook asks becomes TOML that a person would have written, and a list of what was left.

pyxform reads the workbook (an optional part of the program); a foreign file makes it raise anything, and nothing of that gets out.
"""

import io
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fieldsync import errors
from fieldsync.exchange.tables.workbook import check_zip
from fieldsync.exchange.xlsform import toml_writer
from fieldsync.exchange.xlsform import unsupported as lost
from fieldsync.exchange.xlsform.model import Note, Question
from fieldsync.exchange.xlsform.questions import Form
from fieldsync.schema import load

MAX_SURVEY, MAX_CHOICES = 5_000, 50_000  # rows
MAX_FILE = 32 * 1024 * 1024  # bytes
MAX_OLD = 4 * 1024 * 1024  # bytes of a file that is read as a whole: .xls, .csv
_ZIPPED = (".xlsx", ".xlsm")
_KINDS = (*_ZIPPED, ".xls", ".csv")
_RESERVED = "meta"
_SHEETS = ("survey", "choices", "settings", "entities")
_LAST = 1 << 30  # what is of no row is told behind those that are
_REF = re.compile(r"\$\{([^}]*)\}")
_ROW = re.compile(r"\[row\s*:\s*(\d+)\]\s*")
_SHEET = re.compile(r"[Oo]n the '(\w+)' sheet")
_LOOSE = ("rule", "relevant", "when", "pattern", "min", "max", "hxl", "filter", "formula")
_THEIRS = {
    "rule": "constraint",
    "pattern": "constraint",
    "when": "required",
    "filter": "choice_filter",
    "formula": "calculation",
}
_ROUNDS = 20

Table = dict[str, Any]


class Made(NamedTuple):
    """Files by name, the types in them, and what could not be carried."""

    texts: dict[str, str]
    types: list[str]
    notes: list[Note]


def read(path: Path, *, type: str | None = None, beside: Mapping[str, str] | None = None) -> Made:
    """Return the record types of an XLSForm; `beside` are the files that a folder has already. BadFile, Usage."""
    survey, book, renamed = _workbook(path)
    choices = list(book.choices or ())
    form = Form(survey, list(book.survey or ()), path.stem, type, set(beside or ()), choices=choices)
    form.notes += renamed
    try:
        form.walk()
        form.rules()
        form.refer()
    except RecursionError as fault:
        raise errors.BadFile(file=path.name, reason="form_deep") from fault
    for sheet, row, column in lost.of_form(list(book.settings or ()), list(book.entities or ())):
        form.notes.append(Note(sheet, row, "", column, "no_place"))
    _titles(form, book)
    title = str(survey.get("title") or path.stem)
    comment = f"Made from {path.name}: {title}"
    texts = _checked(path, form, comment)
    notes = sorted(form.notes, key=lambda note: (_SHEETS.index(note.sheet), note.row or _LAST))
    if not texts:  # what was made is nothing, and why is told
        raise errors.BadFile(file=path.name, reason="form_empty", left=[one._asdict() for one in notes])
    return Made(texts, [kind.name for kind in form.kinds.values()], notes)


def _titles(form: Form, book: Any) -> None:
    """Call records by what an entity's label, or an instance's name, is made of; what is of no one type is told."""
    for sheet, rows, column in (("settings", book.settings, "instance_name"), ("entities", book.entities, "label")):
        for number, row in enumerate(rows or (), 2):
            names = [one.strip() for one in _REF.findall(str(row.get(column) or ""))]
            kind = next((one for one in form.kinds.values() if names and all(name in one.raw for name in names)), None)
            if kind is not None:
                kind.title = list(dict.fromkeys(kind.raw[name] for name in names))
            elif row.get(column):
                form.notes.append(Note(sheet, number, "", column, "no_place"))


def _workbook(path: Path) -> tuple[Table, Any, list[Note]]:
    """The form as pyxform has it, the workbook's rows, and what was renamed for it. BadFile, Usage."""
    try:
        import xlrd  # type: ignore[import-untyped]
        from pyxform import errors as theirs
        from pyxform import xls2json, xls2json_backends
    except ImportError as fault:
        raise errors.Usage(reason="no_pyxform") from fault
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise errors.BadFile(file=path.name, reason="form_kind")
    if kind in _ZIPPED:
        check_zip(path)
    try:
        large = path.stat().st_size > (MAX_FILE if kind in _ZIPPED else MAX_OLD)
    except OSError as fault:
        raise errors.BadFile(file=path.name, reason="unreadable") from fault
    if large:
        raise errors.BadFile(file=path.name, reason="workbook_large")
    import warnings

    # it writes what it thinks of a file to standard output
    xls2json_backends.xlrd_open = partial(xlrd.open_workbook, logfile=io.StringIO())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = xls2json_backends.get_xlsform(str(path))
            _check_size(path, book)
            _allow_doubles(book)
            renamed = _without_reserved(book)
            survey = xls2json.workbook_to_json(book, fallback_form_name=path.stem, warnings=[])
    except errors.FieldsyncError:
        raise
    except (theirs.PyXFormError, theirs.PyXFormReadError) as fault:
        said = str(fault)
        row = _ROW.search(said)
        why = " ".join(_ROW.sub("", said).split())[:300]
        if row is not None:
            sheet = _SHEET.search(why)
            at = {"row": int(row[1]), "sheet": sheet[1] if sheet else "survey", "why": why}
            raise errors.BadFile(file=path.name, reason="form_row", **at) from fault
        raise errors.BadFile(file=path.name, reason="form_refused", why=why) from fault
    except Exception as fault:
        raise errors.BadFile(file=path.name, reason="form_refused", why=fault.__class__.__name__) from fault
    if survey.get("public_key"):
        raise errors.BadFile(file=path.name, reason="form_encrypted")
    return survey, book, renamed


def _allow_doubles(book: Any) -> None:
    """Have choices of one name in a list read, as real forms have them: what becomes of them is told."""
    name = "allow_choice_duplicates"
    rows, heads = (
        {key: value for key, value in next(iter(found or ()), {}).items() if str(key).strip().lower() != name}
        for found in (book.settings, book.settings_header)
    )
    book.settings, book.settings_header = [rows | {name: "yes"}], [heads | {name: None}]


def _without_reserved(book: Any) -> list[Note]:
    """Call groups otherwise that have a name which pyxform keeps for itself; each is told."""
    rows = book.survey or ()
    taken = {str(row.get("name") or "") for row in rows}
    notes = []
    for number, row in enumerate(rows, 2):
        if str(row.get("name") or "").strip() == _RESERVED and str(row.get("type") or "").split()[:1] == ["begin"]:
            name = next(made for n in range(len(taken) + 2) if (made := f"{_RESERVED}_group{n or ''}") not in taken)
            taken.add(name)
            row["name"] = name
            notes.append(Note("survey", number, _RESERVED, "name", f"reserved {name}"))
    return notes


def _check_size(path: Path, book: Any) -> None:
    sizes = {"survey": (book.survey, MAX_SURVEY), "choices": (book.choices, MAX_CHOICES)}
    for sheet, (rows, most) in sizes.items():
        if len(rows or ()) > most:
            raise errors.BadFile(file=path.name, reason="form_large", sheet=sheet, most=most)
    if not book.survey:
        raise errors.BadFile(file=path.name, reason="form_empty")


def _checked(path: Path, form: Form, comment: str) -> dict[str, str]:
    """The types' files, good as they are: a rule that our forms cannot have is left out, and told."""
    for _ in range(_ROUNDS):
        form.without_empty()
        if not form.kinds:
            return {}
        texts = _texts(form, comment)
        try:
            load.load_texts(texts)
        except errors.SchemaFaults as faulty:
            faults: list[Table] = faulty.facts["faults"]  # type: ignore[assignment]
            mended = [_mended(form, fault) for fault in faults]  # all of them, before the next look
            form.refer()
            if not any(mended):
                one = faults[0]
                why = f"{one['file']} {one['key']}: {one['code']}"
                raise errors.BadFile(file=path.name, reason="form_refused", why=why) from faulty
        else:
            return texts
    raise errors.BadFile(file=path.name, reason="form_faulty")


def _mended(form: Form, fault: Mapping[str, Any]) -> bool:
    """Leave out what a fault is about; say whether that could be done."""
    kind = form.kinds.get(str(fault["file"]).removesuffix(".toml"))
    parts = str(fault["key"]).split(".")
    question = kind.questions.get(parts[1]) if kind is not None and parts[0] == "fields" and len(parts) > 2 else None
    if kind is None or question is None or parts[2] not in _LOOSE or parts[2] not in question.field:
        return False
    form.note(
        question, _THEIRS.get(parts[2], parts[2]), "unknown" if fault["code"] == "unknown_field" else str(fault["code"])
    )
    question.field.pop(parts[2])
    if parts[2] == "formula":
        kind.questions.pop(parts[1])
    if parts[2] == "when":
        question.field["required"] = "optional"
    return True


def _texts(form: Form, comment: str) -> dict[str, str]:
    shared = _shared(form)
    texts: dict[str, str] = {}
    for kind in form.kinds.values():
        fields = {name: _field(one, shared) for name, one in kind.questions.items()}
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
        table["sections"] = {name: words for name, words in kind.sections.items() if name in used}
        texts[f"{kind.name}.toml"] = toml_writer.file(comment, table | {"fields": fields})
    if shared:
        texts[load.CHOICES] = toml_writer.lists(comment, {name: one.choices for name, one in shared.values()})
    return texts


def _is_name(field: Table | None) -> bool:
    """Say whether a record may be called by a field: what a person gave, one value, nothing sensitive."""
    return field is not None and field["merge"] not in ("derived", "set") and field["sensitivity"] <= 2


def _shared(form: Form) -> dict[str, tuple[str, Question]]:
    """Lists of choices that several questions have: by their name in the form, and here."""
    first: dict[str, Question] = {}
    shared: dict[str, tuple[str, Question]] = {}
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
    *("rule", "formula", "filter", "hxl", "label", "hint"),
)


def _field(question: Question, shared: Mapping[str, tuple[str, Question]]) -> Table:
    field = {key: question.field[key] for key in _ORDER if question.field.get(key) not in (None, "", {})}
    if question.choices:
        field["choices"] = shared[question.list][0] if question.list in shared else question.choices
    return field
