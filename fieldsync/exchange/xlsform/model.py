"""Intermediate structs of the XLSForm conversion: record types, questions, unsupported parts."""

from dataclasses import dataclass
from dataclasses import field as filled
from typing import Any, NamedTuple

Table = dict[str, Any]
_HOUR = r"([01]\d|2[0-3]):[0-5]\d"
_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
CLOCK = {
    "time": rf"{_HOUR}(:[0-5]\d)?",
    "dateTime": rf"{_DAY} {_HOUR}",
    "datetime": rf"{_DAY} {_HOUR}",
}


class ConversionNote(NamedTuple):
    """An unsupported part: its position, its name, and the reason."""

    sheet: str
    row: int | None
    name: str
    what: str
    why: str


Place = tuple[str, ...]  # the groups around something of a form, and its own name


class AskedWhen(NamedTuple):
    """The condition of a question or its groups, with its position."""

    text: str
    place: Place


@dataclass
class FormQuestion:
    """One question: its field's keys, its choices, and its source row."""

    name: str
    row: int | None
    source: Table
    field: Table
    relevant: list[AskedWhen]
    list: str = ""
    list_name: str = ""
    raw_mark: str = ""  # which mark says what a choice is called there, where several have one name
    from_list: str = ""  # the list of its choices, as the form calls it
    choices: Table = filled(default_factory=dict)
    codes: dict[str, str] = filled(default_factory=dict)
    marks: dict[str, str] = filled(default_factory=dict)
    place: Place = ()


@dataclass
class TypeDraft:
    """A record type under construction; `owner` is its owner field."""

    name: str
    label: Table
    owner: str = ""
    sections: Table = filled(default_factory=dict)
    questions: dict[str, FormQuestion] = filled(default_factory=dict)
    notes: dict[str, FormQuestion] = filled(default_factory=dict)  # what is only shown
    order: list[tuple[str, str]] = filled(
        default_factory=list
    )  # (question or note, its name), as they stand in the form
    raw: dict[str, str] = filled(default_factory=dict)  # names in the form → fields
    paths: dict[Place, str] = filled(default_factory=dict)  # places in the form → fields
    title: list[str] = filled(default_factory=list)  # what the form calls its records by

    def question_behind(self, note: str) -> str:
        """Return the question that follows a note; "" for the end."""
        behind = self.order[self.order.index(("note", note)) :]
        return next((name for what, name in behind if what == "question" and name in self.questions), "")

    @property
    def has_questions(self) -> bool:
        """Whether it has a question of its own, beside the record that it belongs to."""
        return any(question.source for question in self.questions.values())
