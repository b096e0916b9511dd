"""Mapping of columns to fields: by field name, by label in either language, as last time, or as the user says.

A set may have a column for each member: `needs/food`, or the labels of both. Below a header of labels there may be
field names and HXL hashtags, as in the program's own exports.
"""

import difflib
import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import Any, NamedTuple

from fieldsync import errors
from fieldsync.core import names
from fieldsync.exchange.tables import hxl, paper_columns
from fieldsync.exchange.tables.survey_columns import is_of_survey
from fieldsync.exchange.xlsform.names import name_of
from fieldsync.schema import given_names
from fieldsync.schema.model import Field, Type
from fieldsync.store import ReadTx, Tx

ID, CODE, UNIT = "id", "code", "unit"
SYSTEM = (ID, CODE, UNIT)
OWN_LABELS = {  # of the columns that every record has
    "en": {ID: "Id", CODE: "Code", UNIT: "Unit", "updated": "Updated"},
    "ar": {ID: "المعرّف", CODE: "الرمز", UNIT: "الوحدة", "updated": "آخر تعديل"},
}
REJECT_HEADERS = {  # of the columns that a file of rejected rows has before its own
    "en": ("rejected_row", "rejected_field", "rejected_reason"),
    "ar": ("رقم الصف المرفوض", "الحقل المرفوض", "سبب الرفض"),
}
# columns of an export, and of a file of rejected rows, that say nothing to import
LEFT_OUT = frozenset(
    {
        "type",
        "created",
        "updated",
        "deleted",
        "conflicts",
        "unsent",
        "registers",
        *REJECT_HEADERS["en"],
        *REJECT_HEADERS["ar"],
        *(words["updated"] for words in OWN_LABELS.values()),
    }
)
_CLOSE = 0.75
_TAG = re.compile(r"#[a-z][a-z0-9_]*(?:\s*\+\s*[a-z][a-z0-9_]*)*", re.IGNORECASE)
_SURE = 2  # names of fields in a row that make it a header
_HEADED = 2  # rows below the header that may be about the columns
_NTH = re.compile(r" \((?:[2-9]|[1-9]\d)\)$")  # behind a header that stands there more than once
MAX_HEADER = 500
_MARKS = re.compile(r"^[\s*]+|[\s*:：.]+$")
_BOTH = re.compile(r"[/|\n()–—]|\s-\s")  # between a header's two languages
_FULL = frozenset({"full", "الكامل", "كامل", "الثلاثي", "الرباعي", "ثلاثي", "رباعي"})
_LONGEST = 200  # characters of a header that is looked up


class ColumnMapping(NamedTuple):
    """One imported column: its position, its header, and the field (None for id, code and unit) or a set's member."""

    at: int
    header: str
    name: str
    field: Field | None
    member: str = ""

    @property
    def is_paper(self) -> bool:
        """Whether its cells are numbers of one kind of paper, in place of ticks for a member."""
        return self.member != "" and self.field is not None and self.field.type == "paper"


class ColumnProposal(NamedTuple):
    """A proposed field for a column, "" for none, with the basis: name, label, given, near or nothing."""

    header: str
    name: str
    by: str


def map_columns(file: str, headers: Sequence[str], kind: Type, given: Mapping[str, str]) -> list[ColumnMapping]:
    """Return the columns that are imported. BadFile with all headers that belong nowhere, and likely meanings."""
    known = _names_and_labels(kind)
    given = _parse_given(given, headers)
    asked = {_fold_header(header): name for header, name in given.items()}
    for header, wanted in given.items():
        if wanted and wanted not in SYSTEM:
            given_names.field_named(kind, wanted.partition("/")[0])
        if _fold_header(header) not in {_fold_header(one) for one in headers}:
            raise errors.BadFile(file=file, reason="no_column", column=header, columns=list(headers))
    found: list[ColumnMapping] = []
    odd: list[str] = []
    for at, header in enumerate(headers):
        name = asked[_fold_header(header)] if _fold_header(header) in asked else _known_as(header, known, kind)
        if name == "" or header == "" or (name is None and header in LEFT_OUT):
            continue
        if name is None and is_of_survey(header):
            continue
        if name is None:
            odd.append(header[:MAX_HEADER])
            continue
        column = _map_column(at, header, name, kind)
        if column.field is not None and column.field.kind not in ("plain", "set"):
            continue  # computed, or made of many people's writes: not for a file to say
        alike = [one.header for one in found if (one.name, one.member) == (column.name, column.member)]
        several = column.field is not None and column.field.kind == "set" and not column.member
        if alike and not several:
            raise errors.BadFile(file=file, reason="twice", field=name, columns=[*alike, header])
        found.append(column)
    if odd:
        likely = propose_words(odd, kind)
        reason = "header" if likely else "header_unlike"
        raise errors.BadFile(file=file, reason=reason, columns=odd, proposals=likely)
    if not found:
        raise errors.BadFile(file=file, reason="header_unlike", columns=[one for one in headers if one], proposals=[])
    # a set's own column beside one for each of its members repeats them
    split = {one.name for one in found if one.member and not one.is_paper}
    return [one for one in found if one.member or one.name not in split]


def with_field_names(given: Mapping[str, str], kind: Type) -> dict[str, str]:
    """Return a mapping with field names in place of labels; unknown ones are refused later."""
    made = dict(given)
    for column, words in given.items():
        field, slash, member = words.partition("/")
        with suppress(errors.UnknownField):
            made[column] = given_names.field_named(kind, field).name + slash + member
    return made


def _parse_given(given: Mapping[str, str], headers: Sequence[str]) -> dict[str, str]:
    """Return columns and fields as they were meant: COLUMN=FIELD is parted where the column is one of the file's."""
    there = {_fold_header(one) for one in headers}
    made = {}
    for column, field in given.items():
        whole, name = f"{column}={field}", (column, field)
        for at in [at for at, sign in enumerate(whole) if sign == "="] if _fold_header(column) not in there else ():
            if _fold_header(whole[:at]) in there:
                name = (whole[:at].strip(), whole[at + 1 :])
        made[name[0]] = name[1]
    return made


def _map_column(at: int, header: str, name: str, kind: Type) -> ColumnMapping:
    field, _, member = name.partition("/")
    spec = None if field in SYSTEM else kind.field(field)
    found = paper_columns.column_member(spec, member) if member else ""
    if found is None:
        raise errors.UnknownField(type=kind.name, field=name, known=list(kind.fields))
    return ColumnMapping(at, header, field, spec, found)


def propose_words(headers: Sequence[str], kind: Type) -> list[str]:
    """Return `--map` words for headers that are nearly a field's name or label."""
    known = _names_and_labels(kind)
    return [f"{header}={near}" for header in headers if (near := _nearest_name(header, known))]


def propose_columns(headers: Sequence[str], kind: Type, given: Mapping[str, str]) -> list[ColumnProposal]:
    """Return a proposal for each column; a merely similar name awaits confirmation."""
    known = _names_and_labels(kind)
    asked = {_fold_header(header): name for header, name in _parse_given(given, headers).items()}
    taken = {asked.get(_fold_header(one)) or _known_as(one, known, kind) for one in headers}
    taken -= {one.name for one in kind.fields.values() if one.kind == "set"}  # several columns may be one
    made = []
    for header in headers:
        key = _fold_header(header)
        if not header or header in LEFT_OUT:
            continue
        if key in asked:
            made.append(ColumnProposal(header, asked[key], "given"))
        elif (name := _known_as(header, known, kind)) is not None:
            made.append(ColumnProposal(header, name, "name" if name == header else "label"))
        else:
            near = "" if is_of_survey(header) else _nearest_name(header, known)
            made.append(
                ColumnProposal(header, "" if near in taken else near, "near" if near not in taken | {""} else "")
            )
            if near in kind.fields and kind.fields[near].kind != "set":
                taken.add(near)
    return made


def _nearest_name(header: str, known: Mapping[str, str]) -> str:
    key = _fold_header(_MARKS.sub("", original_header(header)))
    words = set(key.split())
    if not words.isdisjoint(_FULL):  # of a whole name no field is a part
        return ""
    known = {
        label: name for label, name in known.items() if name not in SYSTEM
    }  # الرقم is a list's number, and no الرمز
    close = difflib.get_close_matches(key, known, n=1, cutoff=_CLOSE) if len(key) <= _LONGEST else []
    if close:
        return known[close[0]]
    labels = [(set(label.split()), name) for label, name in known.items()]
    for within in ({n for told, n in labels if words and words < told}, {n for told, n in labels if told < words}):
        if within:
            return within.pop() if len(within) == 1 else ""
    return ""


def _known_as(header: str, known: Mapping[str, str], kind: Type) -> str | None:
    """Return the variants of a header: as it is, as the first of a duplicate, without marks, in both languages."""
    if len(header) > MAX_HEADER:  # no label is so long, and looking for one in it takes long
        return None
    once = original_header(header)
    for told in (header, once):
        field, _, member = told.partition("/")
        if member and field in kind.fields and kind.fields[field].kind == "set" and member in kind.fields[field].codes:
            return told  # as it is written: codes that differ in what nobody sees are different codes
    found = known.get(_fold_header(header)) or _name_without_marks(once, known)
    if found is None:
        both = {_name_without_marks(part, known) for part in _BOTH.split(once) if part.strip()}
        found = both.pop() if len(both) == 1 else None
    if found is None and ("/" in once or "-" in once):
        return _in_group(once if "/" in once else once.replace("-", "/"), known, kind)
    return found


def _in_group(header: str, known: Mapping[str, str], kind: Type) -> str | None:
    """Return the field of a Kobo or ODK header with groups: `family/place/needs/food`."""
    parts = header.split("/")
    for at in range(1, len(parts)):
        before = kind.fields.get(parts[at - 1])
        if before is not None and before.kind == "set":
            return None  # a member of it that nobody knows
        rest = "/".join(parts[at:])
        found = (
            _known_as(rest, known, kind)
            if at < len(parts) - 1
            else known.get(_fold_header(rest)) or known.get(name_of(rest, set()))
        )
        if found is not None:
            return found
    return None


def _name_without_marks(header: str, known: Mapping[str, str]) -> str | None:
    return known.get(_fold_header(header)) or known.get(_fold_header(_MARKS.sub("", header)))


def original_header(header: str) -> str:
    """Return a header before duplicates were numbered."""
    return _NTH.sub("", header)


def find_header(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], kind: Type, given: Mapping[str, str]
) -> tuple[Sequence[str], int]:
    """Return the header that counts, and how many of the rows below the first one are not records yet.

    Titles may stand above it: it is the row above one of HXL hashtags, or that has most of the fields' names and labels, else
    the first that has more than one cell.
    """
    known = _names_and_labels(kind) | {_fold_header(one): name for one, name in given.items()}
    tops = [_cell_texts(row) for row in (headers, *rows)]
    tagged = _tag_row(tops)
    if tagged is not None:
        above = tops[tagged - 1] if tagged else [""] * len(tops[0])
        return [name or tag for name, tag in zip_longest(above, tops[tagged], fillvalue="")], tagged
    scores = [sum(_known_as(cell, known, kind) is not None for cell in row if cell) for row in tops]
    best = max(range(len(tops)), key=lambda at: scores[at])  # the first of those with as many
    if scores[best] < _SURE and scores[0] == 0:
        filled = [sum(map(bool, row)) for row in tops]
        best = next((at for at, count in enumerate(filled) if count > 1), 0) if filled[0] == 1 else 0
    elif scores[best] < _SURE or scores[0] >= _SURE:
        best = 0
    names, done = skip_header(tops[best], rows[best:], kind)
    return names, best + done


def _tag_row(tops: Sequence[Sequence[str]]) -> int | None:
    """The row of HXL hashtags among the first ones; records begin below it."""
    for at, row in enumerate(tops):
        cells = [cell for cell in row if cell]
        if len(cells) > 1 and all(map(_TAG.fullmatch, cells)):
            return at
    return None


def fields_by_tags(headers: Sequence[str], tops: Sequence[Sequence[Any]], kind: Type) -> dict[str, str]:
    """Return the fields of columns whose HXL hashtag is that of one field only, by their headers."""
    rows = [_cell_texts(row) for row in tops]
    tagged = _tag_row(rows)
    if tagged is None:
        return {}
    known: dict[frozenset[str], str] = {}
    for name, tag in [*hxl.SYSTEM.items(), *((one.name, hxl.hxl_tag(one)) for one in kind.fields.values())]:
        known[_tag_parts(tag)] = "" if _tag_parts(tag) in known or name == "updated" else name
    names = _names_and_labels(kind)
    return {
        header: name
        for header, tag in zip(headers, rows[tagged], strict=False)
        if tag and _known_as(header, names, kind) is None and (name := known.get(_tag_parts(tag), ""))
    }


def _tag_parts(tag: str) -> frozenset[str]:
    """Return a hashtag and its attributes, in any order."""
    return frozenset(part.strip().casefold() for part in tag.split("+"))


def _cell_texts(row: Sequence[Any]) -> list[str]:
    return ["" if cell is None else str(cell).strip() for cell in row]


def skip_header(headers: Sequence[str], rows: Sequence[Sequence[Any]], kind: Type) -> tuple[Sequence[str], int]:
    """Return the header that counts and how many of the first rows are about the columns: names, parts of a group, HXL hashtags."""
    labels = _names_and_labels(kind)
    known = {_fold_header(name) for name in (*labels.values(), *LEFT_OUT)}
    for done, row in enumerate(rows[:_HEADED]):
        cells = [str(cell).strip() for cell in row if cell not in (None, "")]
        if cells and all(_TAG.fullmatch(cell) for cell in cells):
            continue
        if len(cells) > 1 and all(_fold_header(cell) in known for cell in cells):
            headers = _cell_texts(row)
            continue
        lower = _cell_texts(row)
        if _is_lower_header(lower, headers, [_known_as(cell, labels, kind) for cell in lower if cell]):
            headers = [low or top for low, top in zip_longest(lower, headers, fillvalue="")]
            continue
        return headers, done
    return headers, min(len(rows), _HEADED)


def _is_lower_header(lower: Sequence[str], upper: Sequence[str], fields: Sequence[str | None]) -> bool:
    """Return whether a row below a header names the columns of its groups: most cells are labels, and not only the header's own."""
    known = [name for name in fields if name is not None]
    news = any(low and low != top for low, top in zip_longest(lower, upper, fillvalue=""))
    return news and len(known) >= _SURE and len(set(known)) == len(known) and len(known) * 2 > len(fields)


# --- what was said before ---


def load_mapping(tx: ReadTx, kind: Type, headers: Sequence[str]) -> tuple[dict[str, str], str | None]:
    """Return the columns' fields and the key that a person gave for such a file before."""
    told = tx.settings.column_choices[_mapping_key(kind, headers)]
    if told is None:
        return {}, None
    given, key = told
    known = {**dict.fromkeys(kind.fields), **dict.fromkeys(("", *SYSTEM))}
    given = {header: name for header, name in given.items() if name.partition("/")[0] in known}
    return given, key if key in kind.fields else None


def store_mapping(tx: Tx, kind: Type, headers: Sequence[str], given: Mapping[str, str], key: str | None) -> None:
    """Store the user's mapping for the next file with that header."""
    if given or key:
        tx.settings.column_choices[_mapping_key(kind, headers)] = dict(given), key


def _mapping_key(kind: Type, headers: Sequence[str]) -> str:
    text = "\n".join(_fold_header(header) for header in headers if header)
    return f"{kind.name}/{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:24]}"


def _names_and_labels(kind: Type) -> dict[str, str]:
    """Names and labels as keys; a label that two fields share names neither."""
    known: dict[str, str] = {}
    twice: set[str] = set()

    def note(word: str, name: str) -> None:
        if known.setdefault(word, name) != name:
            twice.add(word)

    for field in kind.fields.values():
        labels = {_fold_header(text) for text in (*field.label.values(), *field.aliases)}
        for label in labels:
            note(label, field.name)
            note(f"{label} ({field.name})", field.name)
        if field.kind == "set":
            for choice in field.choices:
                for head in {field.name, *labels}:
                    for word in {choice.code, *map(_fold_header, choice.label.values())}:
                        note(f"{_fold_header(head)}/{_fold_header(word)}", f"{field.name}/{choice.code}")
        for label, name in paper_columns.lone_labels(field).items():
            note(_fold_header(label), name)
    known = {label: name for label, name in known.items() if label not in twice}
    for words in OWN_LABELS.values():
        for name in SYSTEM:
            known.setdefault(_fold_header(words[name]), name)  # a field's own label counts first
    return known | {name: name for name in (*kind.fields, *SYSTEM)}


def _fold_header(text: str) -> str:
    return names.strip_invisible(text[: _LONGEST + 1]).casefold()
