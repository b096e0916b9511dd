"""Doubtful rows of a file, as notices and as a question before they are imported."""

from collections.abc import Sequence
from typing import NamedTuple

from fieldsync.schema.model import Type
from fieldsync.ui.views.tables import Tables

ALL, ONE = "all", "one"
_YES = {"y", "yes", "نعم", "ن"}
_NO = {"", "n", "no", "لا", "ل"}
_SHOWN = 10  # groups, and row numbers of each notice


class DoubtfulRows(NamedTuple):
    """The doubtful rows of an import.

    identical: groups of row numbers.
    nameless: a field of the name, how many rows leave it empty, and the first numbers.
    new_units: a unit that is not known here yet, similar ones, and the row numbers.
    skipped: one of several identical rows is imported.
    """

    identical: list[list[int]]
    nameless: list[tuple[str, int, list[int]]]
    new_units: list[tuple[str, list[str], list[int]]]
    skipped: bool


def notices(out: Tables, kind: Type, told: DoubtfulRows) -> list[str]:
    """Return a sentence for each doubt, with its rows' numbers."""
    groups = told.identical
    words = "rows_identical_one" if told.skipped else "rows_identical"
    made = [out.phrase(words, rows=_numbers(out, group)) for group in groups[:_SHOWN]]
    if len(groups) > _SHOWN:
        made.append(out.phrase("rows_identical_more", n=len(groups) - _SHOWN))
    if groups and not told.skipped:
        made.append(out.phrase("rows_identical_hint"))
    for field, count, rows in told.nameless:
        made += [out.phrase("rows_nameless", n=count, field=out.label(kind, field), rows=_numbers(out, rows))]
    for unit, near, rows in told.new_units:
        made.append(out.phrase("rows_new_unit", n=len(rows), unit=unit, rows=_numbers(out, rows)))
        if near:
            made.append(out.phrase("unit_similar", near=out.several(near)))
    return made


def _numbers(out: Tables, rows: Sequence[int]) -> str:
    return out.several([*map(str, rows[:_SHOWN]), *(["…"] if len(rows) > _SHOWN else [])])


def ask_about(out: Tables, kind: Type, told: DoubtfulRows) -> str | None:
    """Show the doubtful rows and ask whether to import them: ALL, ONE of identical rows, or None for nothing. Enter is no."""
    for notice in notices(out, kind, told):
        out.line(notice)
    choosing = bool(told.identical) and not told.skipped
    while True:
        given = out.ask(out.phrase("doubts_ask_identical" if choosing else "doubts_ask") + " ").strip().casefold()
        if given in _NO:
            return None
        if given in _YES:
            return ALL
        if choosing and given in ("1", "١"):
            return ONE
