"""What a queue may be narrowed to: a type, a field, a unit, each with how many it leaves."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fieldsync.core.units import is_within
from fieldsync.replica.node import Node
from fieldsync.review import queue
from fieldsync.ui.views.tables import Tables


@dataclass(frozen=True)
class QueueFilter:
    """What the queue is narrowed to."""

    unit: str | None = None
    type: str | None = None
    field: str | None = None

    def matches_pair(self, one: queue.QueuedConflict) -> bool:
        """Say whether a pair belongs to it."""
        inside = self.unit is None or is_within(one.unit, self.unit)
        return inside and self.type in (None, one.type) and self.field is None

    @property
    def is_active(self) -> bool:
        """Whether it is narrowed at all."""
        return self != QueueFilter()


def filter_words(node: Node, out: Tables, narrowed: QueueFilter, found: Sequence[queue.QueuedConflict]) -> str:
    """Say what the queue is narrowed to."""
    return "  ".join(
        _value_label(node, out, name, value, found) for name, value in vars(narrowed).items() if value is not None
    )


def filter_options(
    node: Node, out: Tables, narrowed: QueueFilter, pairs: Sequence[queue.QueuedConflict] = ()
) -> list[tuple[str, QueueFilter]]:
    """Return what may be shown: everything, or what is shown now narrowed further; each with its words. Pairs have no field."""
    conflicts = queue.waiting_conflicts(node)
    everything = [*conflicts, *pairs]
    found = [(out.phrase("review_all", n=f"{len(everything):,}"), QueueFilter())]
    take: dict[str, Callable[[queue.QueuedConflict], str]] = {
        "type": lambda one: one.type, "field": lambda one: one.field, "unit": lambda one: one.unit,
    }  # fmt: skip
    for name, of in take.items():
        some = conflicts if name == "field" else everything
        for value, n in Counter(map(of, some)).most_common():
            told = out.phrase(f"review_by_{name}", name=_value_label(node, out, name, value, some), n=f"{n:,}")
            found.append((told, replace(narrowed, **{name: value})))
    return found


def _value_label(node: Node, out: Tables, name: str, value: str, found: Sequence[queue.QueuedConflict]) -> str:
    """A type's or field's label; a field has one in each type that it is open in."""
    kinds = node.schema.types
    if name == "type":
        return out.type_label(node, value)
    if name == "field":
        types = dict.fromkeys(one.type for one in found if one.field == value)
        return " / ".join(dict.fromkeys(out.label(kinds.get(kind), value) for kind in types)) or value
    return value
