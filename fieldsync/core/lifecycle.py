"""States and transitions as data: which steps are allowed, and which of two states is further along."""

import msgspec

from fieldsync.core.register import Head


class Lifecycle(msgspec.Struct, frozen=True, omit_defaults=True):
    """The states of a record type in order, and the steps between them.

    `transitions` maps a state to those that may follow it. Two states that were reached apart are
    ordered by reachability; `forks` lists pairs that a person must look at all the same, `beats`
    pairs (winner, loser) where the first wins although no path leads to it. A new record begins in
    the first state, or in one of `starts`.
    """

    states: tuple[str, ...]
    transitions: dict[str, tuple[str, ...]]
    forks: tuple[tuple[str, str], ...] = ()
    beats: tuple[tuple[str, str], ...] = ()
    starts: tuple[str, ...] = ()

    @property
    def initial_state(self) -> str:
        """The state of a new record."""
        return self.states[0]

    def next_states(self, state: str | None) -> tuple[str, ...]:
        """The states that may be set next; from none those that a record may begin in."""
        if state is None:
            return tuple(dict.fromkeys((self.initial_state, *self.starts)))
        if state not in self.states:
            # A state of another form version: the record must not be stuck in it.
            return self.states
        return self.transitions.get(state, ())

    def allows_step(self, old: str | None, new: str) -> bool:
        """Whether the step is allowed; staying where one is always is."""
        return new in self.states and (new == old or new in self.next_states(old))

    def reaches(self, start: str, goal: str) -> bool:
        """Whether a path of one or more steps leads from `start` to `goal`."""
        seen: set[str] = set()
        ahead = list(self.transitions.get(start, ()))
        while ahead:
            state = ahead.pop()
            if state == goal:
                return True
            if state not in seen:
                seen.add(state)
                ahead.extend(self.transitions.get(state, ()))
        return False

    def further_state(self, a: str, b: str) -> str | None:
        """The one further along; None when the branches diverge and a person must look.

        Symmetric in its arguments. Where each can be reached from the other, the later in `states`
        is further.
        """
        if a == b:
            return a
        for winner, loser in ((a, b), (b, a)):
            if (winner, loser) in self.beats:
                return winner
        unknown = a not in self.states or b not in self.states
        if unknown or (a, b) in self.forks or (b, a) in self.forks:
            return None
        forth, back = self.reaches(a, b), self.reaches(b, a)
        if forth and back:
            return max(a, b, key=self.states.index)
        return b if forth else a if back else None


def linear_lifecycle(states: tuple[str, ...], forks: tuple[tuple[str, str], ...] = ()) -> Lifecycle:
    """A lifecycle along an ordered list: every state may go to each later one."""
    return Lifecycle(states, {state: states[i + 1 :] for i, state in enumerate(states)}, forks=forks)


APPROVAL = Lifecycle(
    ("requested", "approved", "rejected"),
    {"requested": ("approved", "rejected"), "approved": (), "rejected": ("requested",)},
    forks=(("approved", "rejected"),),
)


class LifecycleState(msgspec.Struct, frozen=True):
    """A state of a record, None for none."""

    value: str | None

    @classmethod
    def from_head(cls, head: Head) -> "LifecycleState":
        """Return the state of a head."""
        return cls(None if head.value is None else str(head.value))
