"""A model of what an edit covers and what a server accepts, from DESIGN alone: all pairs of commits, no register and no join.

The commits of one field are numbered as they were made; a set of them is an integer, bit i for commit i. Nothing of the program's
is imported, so that the program and the model can be compared.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

Further = Callable[[str, str], str | None]


class Made(NamedTuple):
    """One commit: its device, that device's person, its value, what it has written over, and what is known of its author."""

    device: int
    person: int
    value: str
    context: int
    decides: bool = False
    honest: bool = True


def bits(members: int) -> Iterator[int]:
    """Yield the commits of a set."""
    while members:
        low = members & -members
        yield low.bit_length() - 1
        members ^= low


@dataclass
class Field:
    """One field of one record: every commit to it, under a policy; `persons` says whose each device is."""

    persons: tuple[int, ...]
    policy: str = "review"
    further: Further = lambda a, b: a if a == b else None
    allows: Callable[[str, str], bool] = lambda _old, _new: True
    base: bool = False  # commit 0 made the record
    commits: list[Made] = field(default_factory=list)
    refused: int = 0

    def add(self, device: int, value: str, context: int, *, decides: bool = False, honest: bool = True) -> int:
        """Add a commit and return its number; it has written over its device's earlier ones, whatever it says."""
        own = sum(1 << i for i, one in enumerate(self.commits) if one.device == device)
        self.commits.append(Made(device, self.persons[device], value, context | own, decides, honest))
        return len(self.commits) - 1

    # --- heads ---

    def heads(self, held: int) -> list[int]:
        """Return the commits that none of those held has written over."""
        covered = 0
        for i in bits(held):
            covered |= self.commits[i].context
        return list(bits(held & ~covered))

    def _others(self, members: int, person: int) -> int:
        return sum(1 << i for i in bits(members) if self.commits[i].person != person)

    def agree(self, i: int, j: int) -> bool:
        """Equal, and neither has written over another person's commit that the other neither is nor has written over."""
        a, b = self.commits[i], self.commits[j]
        return a.value == b.value and not (
            self._others(a.context & ~b.context & ~(1 << j), a.person)
            or self._others(b.context & ~a.context & ~(1 << i), b.person)
        )

    def _differ(self, i: int, j: int) -> bool:
        if self.policy == "furthest":
            return self.further(self.commits[i].value, self.commits[j].value) is None
        return not self.agree(i, j)

    def is_open(self, heads: list[int]) -> bool:
        """Say whether two heads disagree, or branches diverge."""
        return any(self._differ(i, j) for i, j in combinations(heads, 2))

    # --- the writer ---

    def edit(self, device: int, held: int, last: int = 0) -> tuple[list[int], int]:
        """Return the heads that an ordinary edit covers, and its context; `last`: the device's last context."""
        heads, person = self.heads(held), self.persons[device]
        covers = heads
        if self.is_open(heads):
            mine = [i for i in heads if self.commits[i].person == person]
            covers = [i for i in mine if self.commits[i].device == device]
            if not self._others(held & ~int(self.base), person):
                covers = mine
            elif self.policy == "latest" and not mine:
                covers = heads[-1:]
        context = last
        for i in heads:
            one = self.commits[i]
            own = sum(1 << j for j in range(i) if self.commits[j].device == one.device)
            if one.person != person:  # its device's earlier commits, only where what it names may name them
                context |= one.context if one.context & ~own & ~int(self.base) else one.context & ~own
        for i in covers:
            context |= self.commits[i].context | 1 << i
        return covers, context

    # --- the server ---

    def accepts(self, new: int, accepted: int) -> bool:
        """Say whether a server that has accepted these accepts one more."""
        one = self.commits[new]
        if one.context & ~accepted & ~self.refused:
            return False
        if one.decides:
            return True
        named = one.context & accepted
        if any(self.commits[i].context & ~self.refused & ~one.context for i in bits(named)):
            return False
        by_anybody = by_others = 0
        for i in bits(accepted):
            by_anybody |= self.commits[i].context
            by_others |= 0 if self.commits[i].person == one.person else self.commits[i].context
        standing = [
            i for i in bits(named) if not (by_anybody if self.commits[i].person == one.person else by_others) >> i & 1
        ]
        if self.policy == "furthest" and not self.leads_on(named, one.value, standing):
            return False
        if not self._others(named & ~int(self.base), one.person):
            return True
        return not any(
            self._differ(i, j)
            for i, j in combinations(standing, 2)
            if not self.commits[i].context >> j & 1 and not self.commits[j].context >> i & 1
        )

    def leads_on(self, named: int, value: str, standing: list[int]) -> bool:
        """A step leads on from the furthest state that was seen; where branches diverge from one, and from each that stands."""
        view = self.heads(named)
        states = {i: self.commits[i].value for i in view}
        tops = [i for i in view if all(self.further(states[i], other) == states[i] for other in states.values())]
        if not tops:
            tops = [
                i
                for i in view
                if not any(states[i] != other and self.further(states[i], other) == other for other in states.values())
            ]
            if any(not self.allows(states[i], value) for i in tops if i in standing):
                return False
        return not view or any(self.allows(states[i], value) for i in tops)

    def judged(self, arrived: int, accepted: int) -> int:
        """Return what a server has accepted when all that has arrived was judged, again at each acceptance."""
        while more := sum(1 << i for i in bits(arrived & ~accepted & ~self.refused) if self.accepts(i, accepted)):
            accepted |= more
        return accepted

    # --- what must not happen ---

    def ended_by(self, person: int, accepted: int) -> bool:
        """Say whether the values of others conflict without one person's commits, and nothing is open with them."""
        covered = 0
        for i in bits(accepted):
            covered |= 0 if self.commits[i].person == person else self.commits[i].context
        left = [i for i in bits(accepted & ~covered) if self.commits[i].person != person]
        return self.is_open(left) and not self.is_open(self.heads(accepted))
