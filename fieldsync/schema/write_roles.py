"""Roles that a form requires for writing a value (`by`), checked at the keyboard and again on each server."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from fieldsync import errors
from fieldsync.schema.model import Field, Type


@lru_cache(maxsize=256)
def guarded_fields(kind: Type) -> frozenset[str]:
    """The fields of which not everybody may write every value."""
    return frozenset(name for name, field in kind.fields.items() if field.by or field.merge == "server")


def check_roles(kind: Type, new: Mapping[str, object], doc: Mapping[str, object], role: str) -> None:
    """Refuse (RoleRefused) values that a role may not write over a record's document ({} for a new one)."""
    for name in guarded_fields(kind).intersection(new):
        if new[name] != doc.get(name):
            check_role(kind.fields[name], new[name], [doc.get(name)], role)


def check_role(field: Field, new: object, olds: Iterable[object], role: str) -> None:
    """Refuse (RoleRefused) a value that takes another role than this, after one of the old values."""
    wanted = [field.by.get("")]
    if new is not None:
        wanted.append(field.by.get(str(new)))
    # who may not say it may not unsay it either
    wanted.extend(field.by.get(f"{old}>{new}" if new is not None else str(old)) for old in olds)
    for roles in wanted:
        if roles and role not in roles:
            raise errors.RoleRefused(role=role, needs=list(roles), field=field.name)
