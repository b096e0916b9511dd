"""Which column is which field: by the field's name, by its label in either language, or as the person says."""

import difflib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fieldsync import errors
from fieldsync.core import names
from fieldsync.schema.model import Field, Type

ID, CODE, UNIT = "id", "code", "unit"
SYSTEM = (ID, CODE, UNIT)
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
        "rejected_row",
        "rejected_field",
        "rejected_reason",
    }
)
_CLOSE = 0.75


class Column(NamedTuple):
    """One column that is imported: its place, its header, and the field (None for id, code and unit)."""

    at: int
    header: str
    name: str
    field: Field | None


def columns(file: str, headers: Sequence[str], kind: Type, given: Mapping[str, str]) -> list[Column]:
    """Return the columns that are imported. BadFile with all headers that belong nowhere, and likely meanings."""
    known = _names(kind)
    asked = {_key(header): name for header, name in given.items()}
    for header, wanted in given.items():
        if wanted and wanted not in SYSTEM:
            kind.field(wanted)
        if _key(header) not in {_key(one) for one in headers}:
            raise errors.BadFile(file=file, reason="no_column", column=header, columns=list(headers))
    found: list[Column] = []
    odd: list[str] = []
    for at, header in enumerate(headers):
        name = asked[_key(header)] if _key(header) in asked else known.get(_key(header))
        if name == "" or header == "" or (name is None and header in LEFT_OUT):
            continue
        if name is None:
            odd.append(header)
            continue
        field = None if name in SYSTEM else kind.field(name)
        if field is not None and field.kind not in ("plain", "set"):
            continue  # computed, or made of many people's writes: not for a file to say
        if any(one.name == name for one in found):
            raise errors.BadFile(file=file, reason="twice", field=name)
        found.append(Column(at, header, name, field))
    if odd:
        raise errors.BadFile(file=file, reason="header", columns=odd, proposals=proposals(odd, kind))
    return found


def proposals(headers: Sequence[str], kind: Type) -> list[str]:
    """Return `--map` words for headers that are nearly a field's name or label."""
    known = _names(kind)
    made = []
    for header in headers:
        close = difflib.get_close_matches(_key(header), known, n=1, cutoff=_CLOSE)
        if close:
            made.append(f"{header}={known[close[0]]}")
    return made


def _names(kind: Type) -> dict[str, str]:
    """Names and labels as keys; a label that two fields share names neither."""
    known: dict[str, str] = {}
    twice: set[str] = set()
    for field in kind.fields.values():
        for label in {_key(text) for text in field.label.values()}:
            if known.setdefault(label, field.name) != field.name:
                twice.add(label)
    known = {label: name for label, name in known.items() if label not in twice}
    return known | {name: name for name in (*kind.fields, *SYSTEM)}


def _key(text: str) -> str:
    return names.plain(text).casefold()
