"""The choice of a record for a reference: by search, or among records related to the form's record."""

from collections.abc import Sequence
from typing import NamedTuple

from fieldsync.casework import titles
from fieldsync.casework.titles import Particulars
from fieldsync.replica.queries import Record
from fieldsync.schema.model import Field
from fieldsync.ui.forms.answers import FormAnswers
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.record_card import RecordCards


class RecordOption(NamedTuple):
    """A record to choose: its id, and its name with distinguishing data."""

    record: str
    words: SafeText


class RecordMatches(NamedTuple):
    """Records to choose from; `more` is the number of further matches."""

    options: Sequence[RecordOption]
    more: int = 0


def match_records(out: RecordCards, filling: FormAnswers, field: Field, text: str, most: int) -> RecordMatches:
    """Return the records that a text may mean: those of the same family first. An empty text finds these only."""
    near = filling.records_around(field)
    if not text:
        return RecordMatches(_options(out, filling, field, near[:most]), max(0, len(near) - most))
    found = filling.find_records(field, text)
    ids = {one.id for one in near}
    found.sort(key=lambda one: one.id not in ids)
    return RecordMatches(_options(out, filling, field, found[:most]), max(0, len(found) - most))


def _options(out: RecordCards, filling: FormAnswers, field: Field, records: Sequence[Record]) -> list[RecordOption]:
    known = titles.particulars(filling.node, [one.id for one in records])
    return [
        RecordOption(one.id, _option_words(out, filling, field, one, known.get(one.id, Particulars())))
        for one in records
    ]


def _option_words(out: RecordCards, filling: FormAnswers, field: Field, one: Record, told: Particulars) -> SafeText:
    kind = filling.node.schema.types.get(one.type)
    parts: list[str] = [one.code or one.id[:8], out.title(kind, one)]
    if len(field.to) > 1:
        parts.append(out.safe(out.type_label(filling.node, one.type)))
    for name in ("born", "mother", "head"):
        value = getattr(told, name)
        if value:
            parts.append(out.phrase(f"picker_{name}", value=out.safe(value)))
    if told.family or told.family_code:
        family = filter(None, (told.family and out.safe(told.family), told.family_code))
        parts.append(out.phrase("picker_family", value=SafeText(" ".join(family))))
    elif one.unit:
        parts.append(out.safe(one.unit))
    return SafeText("  ".join(filter(None, parts)))
