"""Limits that a server enforces on every commit, whatever program made it."""

from fieldsync import errors
from fieldsync.core.commit import Commit
from fieldsync.core.deletion import DELETED, seen_by_deletion

MAX_FORM = 1_000_000
"""No form is published so often; a commit that names a higher number waits for nothing."""


def check_bounds(commit: Commit) -> None:
    """Refuse (IllegalValue) an absurd form, and a context that is not written as contexts are."""
    if not 0 < commit.form <= MAX_FORM:
        raise _illegal(commit, "_form")
    if commit.context:
        _check_context(commit)
    if DELETED in commit.fields and seen_by_deletion(commit.fields[DELETED]).get(commit.device, 0) >= commit.seq:
        raise _illegal(commit, DELETED)


def _check_context(commit: Commit) -> None:
    """Check that each field is in one group at most, fields and devices are ordered, and no own future commit is named."""
    told: set[str] = set()
    for names, pairs in commit.context:
        seen = dict(pairs)
        once = told.isdisjoint(names) and len(seen) == len(pairs)
        ordered = list(names) == sorted(set(names)) and list(seen) == sorted(seen)
        past = seen.get(commit.device, 0) < commit.seq
        if not (names and pairs and once and ordered and past):
            raise _illegal(commit, "_context")
        told.update(names)


def _illegal(commit: Commit, field: str) -> errors.IllegalValue:
    return errors.IllegalValue(type=commit.type, field=field, reason="system")
