"""Filters for open conflicts: by unit, type, field, author, age or words."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from fieldsync.core import names, stamp
from fieldsync.core.grants import Grant, covering_grant
from fieldsync.core.units import is_within

_DAY = 86_400_000  # milliseconds


@dataclass(frozen=True)
class ConflictFilter:
    """Criteria for conflicts, all of which must match.

    by: who wrote one of the values.
    days: for how many days it has been open at least.
    text: words that its record's code or name or one of its values has, spelling forgiven.
    """

    unit: str | None = None
    type: str | None = None
    field: str | None = None
    by: str | None = None
    days: int | None = None
    text: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it is narrowed at all."""
        return any(getattr(self, one.name) is not None for one in fields(self))

    @property
    def reads_values(self) -> bool:
        """Whether a conflict's values have to be read to judge it."""
        return (self.by, self.days, self.text) != (None, None, None)

    @property
    def without_values(self) -> "ConflictFilter":
        """The criteria that need no values."""
        return replace(self, by=None, days=None, text=None)

    def has_unit(self, places: Iterable[str]) -> bool:
        """Return whether a record that is in these units belongs to it."""
        return self.unit is None or any(covering_grant((Grant(self.unit, ""),), place) for place in places)

    def has_values(self, authors: Iterable[str], since: str, texts: Iterable[str], now: int) -> bool:
        """Return whether what these people wrote belongs to it; `since` in RFC 3339, `now` in milliseconds since 1970."""
        if self.by is not None and not any(_has_words(author, self.by) for author in authors):
            return False
        if self.days is not None and since > stamp.time_text(now - self.days * _DAY):
            return False
        return self.text is None or _has_words(" ".join(texts), self.text)

    def has_pair(self, unit: str, type: str, texts: Iterable[str]) -> bool:
        """Return whether a pair belongs to it, which has no field, no author and no age."""
        inside = self.unit is None or is_within(unit, self.unit)
        plain = inside and self.type in (None, type) and (self.field, self.by, self.days) == (None, None, None)
        return plain and (self.text is None or _has_words(" ".join(texts), self.text))


EVERYTHING = ConflictFilter()


def _has_words(text: str, wanted: str) -> bool:
    folded = names.fold_text(text)
    return all(word in folded for word in names.fold_text(wanted).split())
