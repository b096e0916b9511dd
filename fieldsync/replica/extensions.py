"""Hooks by which parts that know record types take part in a node's work; fieldsync/office.py registers them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fieldsync.core.register import Value
from fieldsync.replica.changes import Draft
from fieldsync.replica.merge_rules import Rules
from fieldsync.replica.node import Node
from fieldsync.schema.model import Type
from fieldsync.store import Tx
from fieldsync.store.contract import Row


class Projection(Protocol):
    """What a server keeps beside records for readers who see only a part of them."""

    def after_apply(self, tx: Tx, rules: Rules, rows: Mapping[bytes, Row]) -> None:
        """Bring the projection up to date with records that changed (id → row)."""

    def rebuild(self, tx: Tx, rules: Rules) -> None:
        """Work all of it out anew: forms have given fields other names."""


class WriteGuard(Protocol):
    """What a role may write and see of a record type, beyond what its units allow."""

    def check(self, role: str, type: str, fields: Mapping[str, Value], *, new: bool) -> None:
        """Refuse what the role may not write; RoleRefused, IllegalValue."""

    def unseen(self, role: str, kind: Type) -> frozenset[str]:
        """Return the fields that the role is not shown."""


class DraftExpander(Protocol):
    """What is written beside a save, in the same transaction."""

    def beside(self, node: Node, tx: Tx, draft: Draft) -> list[Draft] | None:
        """Return a new record's draft with those that go with it; None where nothing does."""

    def after_apply(self, node: Node, tx: Tx, rows: Iterable[Row]) -> None:
        """Write what is due, on a server, to records that changed."""


@dataclass(frozen=True)
class Extensions:
    """The hooks of one program."""

    projections: Sequence[Projection] = ()
    guards: Sequence[WriteGuard] = ()
    expanders: Sequence[DraftExpander] = ()

    def project(self, tx: Tx, rules: Rules, rows: Mapping[bytes, Row]) -> None:
        """Bring all projections up to date."""
        for one in self.projections:
            one.after_apply(tx, rules, rows)

    def check_write(self, role: str, type: str, fields: Mapping[str, Value], *, new: bool) -> None:
        """Ask all guards; RoleRefused, IllegalValue."""
        for one in self.guards:
            one.check(role, type, fields, new=new)

    def unseen(self, role: str, kind: Type) -> frozenset[str]:
        """Return the fields that a role is not shown."""
        return frozenset[str]().union(*(one.unseen(role, kind) for one in self.guards))

    def with_companions(self, node: Node, tx: Tx, draft: Draft) -> list[Draft]:
        """Return a new record's draft with those that go with it."""
        found = (one.beside(node, tx, draft) for one in self.expanders)
        return next((drafts for drafts in found if drafts is not None), [draft])

    def write_due(self, node: Node, tx: Tx, rows: Iterable[Row]) -> None:
        """Write what is due to records that changed."""
        changed = list(rows)
        for one in self.expanders:
            one.after_apply(node, tx, changed)


_registered: list[Extensions] = []


def register(extensions: Extensions) -> None:
    """Have these hooks called from now on, in place of any others."""
    _registered[:] = [extensions]


def registered() -> Extensions:
    """Return the hooks. A program that registered none would leave its guards out, so it ends here."""
    if not _registered:
        raise RuntimeError("no extensions: call fieldsync.office.register() first")
    return _registered[0]
