"""The forms of the histories, as the model knows them: each field's policy, and the lifecycle of a state."""

from typing import NamedTuple

SHELTER, RESIDENT, REFERRAL = "shelter", "resident", "referral"


class Spec(NamedTuple):
    """A field: its merge policy and the type of its values."""

    policy: str
    type: str


STEPS: dict[str, tuple[str, ...]] = {
    "draft": ("open", "planned"),
    "planned": ("open", "given_up"),
    "open": ("full", "closed"),
    "full": ("open", "closed"),
    "closed": (),
    "given_up": (),
}
"""The lifecycle of a shelter: `closed` and `given_up` are two branches, of which neither leads to the other."""

FIELDS: dict[str, dict[str, Spec]] = {
    SHELTER: {
        "name": Spec("review", "text"),
        "place": Spec("latest", "text"),
        "beds": Spec("greatest", "int"),
        "floor": Spec("least", "int"),
        "state": Spec("furthest", "state"),
        "permit": Spec("once", "text"),
        "needs": Spec("set", "choice"),
        "visits": Spec("tally", "int"),
        "notes": Spec("log", "note"),
    },
    RESIDENT: {
        "shelter": Spec("review", "ref"),
        "name": Spec("review", "text"),
        "bed": Spec("latest", "text"),
    },
    REFERRAL: {
        "state": Spec("furthest", "state"),
        "person": Spec("once", "ref"),
        "kind": Spec("once", "choice"),
        "from_org": Spec("once", "text"),
        "to_org": Spec("once", "text"),
        "services": Spec("set", "choice"),
        "urgency": Spec("greatest", "choice"),
        "reason": Spec("review", "note"),
        "override_reason": Spec("once", "text"),
        "sent_on": Spec("once", "date"),
        "answered_on": Spec("once", "date"),
        "reject_reason": Spec("review", "text"),
    },
}
REFERRAL_STEPS: dict[str, tuple[str, ...]] = {
    "draft": ("sent",),
    "sent": ("accepted", "rejected", "revoked"),
    "accepted": ("in_progress", "done", "rejected", "revoked"),
    "rejected": ("sent",),
    "in_progress": ("done", "revoked"),
    "done": (),
    "revoked": (),
}
OWNERS = {RESIDENT: "shelter", REFERRAL: "person"}
"""The field by which a record belongs to another one."""

_SYSTEM = {
    "_code": "once", "_unit": "review", "_deleted": "review", "_same_as": "review", "_not_same": "set", "_shared": "set",
    "_shares": "set", "_decided": "none",
}  # fmt: skip


def policy(type: str, field: str) -> str:
    """Return how a field's concurrent values settle; a field that no form here knows is reviewed."""
    if field in _SYSTEM:
        return _SYSTEM[field]
    spec = FIELDS.get(type, {}).get(field)
    return "review" if spec is None else spec.policy


def steps(type: str) -> dict[str, tuple[str, ...]]:
    """Return the lifecycle of a type's state."""
    return REFERRAL_STEPS if type == REFERRAL else STEPS


def leads_to(type: str, start: object, goal: object) -> bool:
    """Say whether steps lead from one state to another."""
    after, seen, ahead = steps(type), set[object](), [start]
    while ahead:
        for state in after.get(str(ahead.pop()), ()):
            if state == goal:
                return True
            if state not in seen:
                seen.add(state)
                ahead.append(state)
    return False
