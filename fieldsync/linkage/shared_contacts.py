"""Phones and places shared by many families (a shelter, a shop, a village), which are no evidence of a duplicate."""

from collections.abc import Callable

from fieldsync.linkage import blocks
from fieldsync.linkage.aliases import Name

MANY_FAMILIES = 10
"""A phone or place shared by more families than this is no evidence."""

CountsFamilies = Callable[[int], int]
"""Returns how many families stand under a key of `blocks.contact_keys`; from MANY_FAMILIES + 1 on it need not count further."""


class SharedContacts:
    """Counts the families that share a phone or place, each once."""

    def __init__(self, families_of: CountsFamilies = lambda _: 0) -> None:
        self._families_of = families_of
        self._known: dict[int, bool] = {}

    def of_few(self, phones: frozenset[str]) -> frozenset[str]:
        """Return the phones that few families have."""
        return frozenset(one for one in phones if not self.is_shared(blocks.phone_key(one)))

    def is_shared_place(self, place: Name) -> bool:
        """Return whether many families live there."""
        return self.is_shared(blocks.place_key(place))

    def is_shared(self, key: int) -> bool:
        """Return whether many families share a key."""
        if key not in self._known:
            self._known[key] = self._families_of(key) > MANY_FAMILIES
        return self._known[key]


NOTHING_SHARED = SharedContacts()
