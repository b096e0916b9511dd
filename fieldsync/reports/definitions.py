"""The only reader of report files: an SQL query after a comment that describes its columns in TOML.

Shipped reports lie in schemas/reports, an organisation's own in the folder `reports` of its store; one with the
same name replaces the shipped one. docs/reports.md explains how to write one.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.schema.model import Schema
from fieldsync.schema.source_file import parse_toml

FOLDER = "reports"
NUMBERS = ("count", "number", "share")
KINDS = (*NUMBERS, "text", "word", "choice", "code", "date", "month", "unit", "trend")
_HEADER = re.compile(r"\s*/\*(.*?)\*/", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)", re.IGNORECASE)
_NAMED_QUERY = re.compile(r"\b(\w+)(?:\s*\([^()]*\))?\s+AS\s+(?:MATERIALIZED\s+)?\(", re.IGNORECASE)
MAX_FILE = 200_000  # characters
Label = dict[str, str]


class ReportColumn(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One column: its label and content.

    `of` is the TYPE.FIELD whose choices a `choice` shows, and a `word` that the header's words lack; `parts` are the columns
    that add up to this one, `whole` the one that this share is a part of; `only` keeps it to months or years; what may not
    leave the office has `leaves` false; `screen` false: in files only; `key` false: says more of a row, and tells none from
    another; `as_issued` = [column, months]: that column, so many months before, as it was issued.
    """

    en: str
    ar: str
    kind: str
    of: str = ""
    hxl: str = ""
    parts: tuple[str, ...] = ()
    whole: str = ""
    only: str = ""
    leaves: bool = True
    screen: bool = True
    key: bool = True
    bar: bool = False
    as_issued: tuple[str, int] | None = None

    @property
    def label(self) -> Label:
        """Its name in both languages."""
        return {"en": self.en, "ar": self.ar}


class ReportHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report file's comment.

    `issued` false: how things stand today, which no month can keep; `sealed`: it counts fields of the highest sensitivity,
    so that no file of it holds a small number; `agreement`: rows of organisations without one do not leave; `whole`: it says
    what records lack, so that it has no rows for a partner, who is shown parts of them.
    """

    label: Label
    columns: dict[str, ReportColumn]
    number: int = 99
    about: Label = {}
    words: dict[str, Label] = {}
    constants: dict[str, str] = {}
    issued: bool = True
    sealed: bool = False
    agreement: bool = False
    whole: bool = False


class Report(msgspec.Struct, frozen=True):
    """A report: its name, its header, its query, and whether it is the office's own."""

    name: str
    header: ReportHeader
    sql: str
    own: bool

    @property
    def keys(self) -> list[str]:
        """The columns that identify a row."""
        return [
            name
            for name, column in self.header.columns.items()
            if column.key and column.kind not in (*NUMBERS, "trend")
        ]

    @property
    def counts(self) -> list[str]:
        """The columns that count something."""
        return [name for name, column in self.header.columns.items() if column.kind == "count"]


def fitting_reports(reports: Mapping[str, Report], schema: Schema) -> dict[str, Report]:
    """Return the reports whose record types the forms have."""
    return {name: one for name, one in reports.items() if _missing_type(one, schema) is None}


def check_types(report: Report, schema: Schema) -> None:
    """Refuse a report of the program's about record types that the forms lack; UnknownType."""
    lacking = _missing_type(report, schema)
    if lacking is not None:
        raise errors.UnknownType(type=lacking, known=list(schema.types), reason="report")


def _missing_type(report: Report, schema: Schema) -> str | None:
    """Return a type of the shipped forms that the report's query reads and these forms lack."""
    if report.own:
        return None
    read = set(_TABLE.findall(report.sql)) - set(_NAMED_QUERY.findall(report.sql)) - schema.types.keys()
    return next((one for one in sorted(read) if (_shipped_folder().parent / f"{one}.toml").exists()), None)


def available_reports(home: Path, *, usable: bool = False) -> dict[str, Report]:
    """Return all reports by name, in order; ReportFault for an invalid file, unless only `usable` ones are wanted."""
    found = {path.stem: _read_report(path, own=False) for path in sorted(_shipped_folder().glob("*.sql"))}
    for path in sorted((home / FOLDER).glob("*.sql")) if (home / FOLDER).is_dir() else ():
        try:
            found[path.stem] = _read_report(path, own=True)
        except errors.BadInput:
            if not usable:
                raise
    return dict(sorted(found.items(), key=lambda one: (one[1].header.number, one[0])))


def find_report(home: Path, name: str) -> Report:
    """Return a report by its name or number. NoReport, ReportFault."""
    own = home / FOLDER / f"{name}.sql"
    if _NAME.fullmatch(name) and own.is_file():  # another file's fault is no reason to refuse this one
        return _read_report(own, own=True)
    ours = {path.stem: path for path in _shipped_folder().glob("*.sql")}
    if name in ours:
        return _read_report(ours[name], own=False)
    reports = available_reports(home)
    for report in reports.values():
        if name == str(report.header.number) and not report.own:
            return report
    labels = {one: found.header.label for one, found in reports.items()}
    raise errors.NoReport(report=name, known=list(reports), labels=labels)


def _shipped_folder() -> Path:
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "schemas", here.parents[2] / "schemas"):
        if folder.is_dir():
            return folder / FOLDER
    raise errors.BadFile(file="schemas", reason="missing")


def _read_report(path: Path, *, own: bool) -> Report:
    name = path.stem
    if not _NAME.fullmatch(name):
        raise errors.ReportFault(report=path.name, reason="name")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise errors.BadFile(file=path.name, reason="unreadable") from fault
    if len(text) > MAX_FILE:
        raise errors.TooLarge(what="report", limit=MAX_FILE)
    return Report(name, parse_header(name, text), text, own)


def parse_header(name: str, text: str) -> ReportHeader:
    """Return the header of a report's text. ReportFault."""
    found = _HEADER.match(text)
    if found is None:
        raise errors.ReportFault(report=name, reason="no_header")
    try:
        header = msgspec.convert(parse_toml(found[1]), ReportHeader)
    except tomllib.TOMLDecodeError as fault:
        line = re.search(r"line (\d+)", str(fault))
        raise errors.ReportFault(report=name, reason="toml", line=int(line[1]) if line else 1) from fault
    except (msgspec.ValidationError, RecursionError) as fault:
        raise errors.ReportFault(report=name, reason="header", what=_fault_place(str(fault))) from fault
    _check_header(name, header)
    return header


def _fault_place(fault: str) -> str:
    """Return a fault's position in a header, or the superfluous or missing key: never the content."""
    place = re.search(r"`(\$[^`]*)`", fault)
    key = re.search(r"field `(\w+)`", fault)
    return " ".join(part[1] for part in (place, key) if part is not None)


def _check_header(name: str, header: ReportHeader) -> None:
    columns: Mapping[str, Any] = header.columns
    if not columns:
        raise errors.ReportFault(report=name, reason="header", what="columns")
    for label in (header.label, *([header.about] if header.about else ()), *header.words.values()):
        if not {"en", "ar"} <= label.keys():
            raise errors.ReportFault(report=name, reason="header", what="en, ar")
    for key, column in header.columns.items():
        others = [*column.parts, *([column.whole] if column.whole else ())]
        if column.as_issued is not None:
            others.append(column.as_issued[0])
        known = column.kind in KINDS and column.only in ("", "month", "year")
        known = (
            known
            and (bool(column.of) or column.kind != "choice")
            and (not column.of or column.kind in ("choice", "word"))
        )
        if not known or any(other not in columns for other in others):
            raise errors.ReportFault(report=name, reason="header", what=f"columns.{key}")
