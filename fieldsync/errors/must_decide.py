"""Decisions that a person must make first (exit 9)."""

from fieldsync.errors.base import FieldsyncError


class MustDecide(FieldsyncError):
    """A person must decide first."""

    code = "must_decide"
    exit = 9
    status = 409


class SameBirth(MustDecide):
    """A birth close to another verified one of the same family, possibly the same; facts: event, other."""

    code = "same_birth"


class Undecided(MustDecide):
    """A commit that would end a conflict which its author may not decide; quarantined until a decision; facts: type, field."""

    code = "undecided"


class OpenConflict(MustDecide):
    """A step that cannot be taken while its field is in conflict; facts: field."""

    code = "open_conflict"


class PastDisagree(MustDecide):
    """A bulk merge without enough unanimous individual merges; facts: merged, apart, needs, percent."""

    code = "past_disagree"
