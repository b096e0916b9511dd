"""A save before it becomes a commit: the user's changes, and drafts without number and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from fieldsync.core.register import Context, Value
from fieldsync.replica.edit_coverage import RegisterEdit

Fields = dict[str, Value]


@dataclass
class Changes:
    """A user's changes: plain fields, emptied fields, members of sets, counts and log entries."""

    set: Mapping[str, object] = field(default_factory=dict)
    unset: Sequence[str] = ()
    put: Mapping[str, Sequence[object]] = field(default_factory=dict)
    drop: Mapping[str, Sequence[object]] = field(default_factory=dict)
    count: Mapping[str, int] = field(default_factory=dict)
    say: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether a new record with these changes would have no content."""
        told = [*self.set.values(), *self.put.values(), *self.count.values(), *self.say.values()]
        return all(value is None or value in ("", [], ()) for value in told)


class Draft(Struct, frozen=True):
    """A commit that lacks only its number and time: fields by name in order, and what each is written over, or had seen."""

    record: bytes
    type: str
    form: int
    fields: Fields
    seen: Mapping[str, RegisterEdit | Context]
    note: str | None = None


class NewRecord(Struct, frozen=True):
    """A record to be added; with an id where others of the same save name it, with a code where one was kept for it."""

    type: str
    changes: Changes
    record: bytes | None = None
    code: str | None = None


def set_difference(shown: Sequence[str], wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the members that make one set of the other: those to put into it, and those to drop."""
    return [one for one in wanted if one not in shown], [one for one in shown if one not in wanted]
