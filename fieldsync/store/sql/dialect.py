"""The few expressions that each database writes differently."""

from collections.abc import Sequence
from typing import Protocol

_ALL = (1 << 62) - 1


def at_most(limit: int) -> int:
    """Return a LIMIT for the contract's: -1 is all."""
    return _ALL if limit < 0 else limit


class Dialect(Protocol):
    """Expressions of SQL, as text. A parameter is `?`, or `?1` and so on where a statement uses it twice."""

    directory: str
    """The table with the id, n, channel, type, owner and code of all records, wherever they are kept."""

    def in_channel(self, parameter: str, column: str = "channel") -> str:
        """That a row is of the channel with the number in a numbered parameter; on PostgreSQL it names the area, too."""

    def area_of_unit(self, parameter: str) -> str:
        """That a channel is in the area of the unit in a numbered parameter: true where the store has no areas."""

    def are_apart(self, channel: int, other: int) -> bool:
        """Return whether the records of two channels are in different areas: one that moves is deleted, and inserted."""

    def is_there(self, entry: str) -> str:
        """Whether the record of an entry of the directory is not deleted."""

    def new_document(self, parameter: str = "?") -> str:
        """A parameter for a document, given as UTF-8 bytes."""

    def document(self, column: str) -> str:
        """A document as UTF-8 bytes."""

    def each_id(self, parameter: str = "?") -> str:
        """A query of the ids in a parameter, a JSON list of hexadecimal digits; its column is `value`."""

    def each_number(self, parameter: str = "?") -> str:
        """A query of the numbers in a parameter, a JSON list; its column is `value`."""

    def each_text(self, parameter: str = "?") -> str:
        """A query of the texts in a parameter, a JSON list; its column is `value`."""

    def id_of(self, column: str) -> str:
        """The 16 bytes of an id that is stored as a UUID's text; NULL for other texts."""

    def value(self, document: str, field: str) -> str:
        """A field of a document: NULL where it has none."""

    def equal_value(self, value: object) -> object:
        """Return the parameter that a field's `value` is compared with."""

    def order(self, document: str, field: str, *, descending: bool) -> str:
        """What to sort by for a field of a document: records without it first, then numbers, then texts."""

    def values(self, document: str, fields: Sequence[str]) -> str:
        """A JSON list of the values of a document's fields, two or more."""

    def members(self, document: str, field: str) -> str:
        """A query of the texts in a document's field that is a list; its column is `value`."""

    def items(self, column: str) -> str:
        """A query of the texts in a column that is a JSON list; its column is `value`."""

    def joined(self, column: str) -> str:
        """An aggregate: the different texts of a column, with commas."""
