"""Hooks by which modules that know record types take part in a node's work; fieldsync/office.py registers them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from fieldsync.core.commit import Commit
from fieldsync.core.register import Value
from fieldsync.replica.changes import Draft
from fieldsync.replica.merge_rules import Rules
from fieldsync.replica.node import Node
from fieldsync.schema.model import Type
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device, Row, WaitKey


class Projection(Protocol):
    """Data that a server keeps for readers who see only a part of records."""

    def after_apply(self, tx: Tx, rules: Rules, rows: Mapping[bytes, Row]) -> None:
        """Bring the projection up to date with records that changed (id → row)."""

    def rebuild_projection(self, tx: Tx, rules: Rules) -> None:
        """Work all of it out anew: forms have given fields other names."""


class WriteGuard(Protocol):
    """Restrictions on a role's access to a record type, beyond its units."""

    def check_write(self, role: str, type: str, fields: Mapping[str, Value], *, new: bool) -> None:
        """Refuse a write that the role does not allow; RoleRefused, IllegalValue."""

    def hidden_fields(self, role: str, kind: Type) -> frozenset[str]:
        """Return the fields that the role is not shown."""


class DraftExpander(Protocol):
    """Further drafts saved in the same transaction as a save."""

    def companion_drafts(self, node: Node, tx: Tx, draft: Draft) -> list[Draft] | None:
        """Return a new record's draft with those that go with it; None where nothing does."""

    def after_apply(self, node: Node, tx: Tx, rows: Iterable[Row]) -> None:
        """On a server, save due changes to changed records."""


class JudgedBatch(Protocol):
    """A batch of one device's commits under judgement; see authority/commit_batch.py."""

    tx: ReadTx
    device: Device
    units: Callable[[int], str]  # a channel's number → its unit
    waits_for: tuple[WaitKey, ...]  # what may change the objection that is raised
    missing: list[bytes]  # records that were looked for and are not here

    def row_with_batch(self, record: bytes | None) -> Row | None:
        """Return a record with the batch's changes; a missing one is noted in `missing`."""

    def row_after(self, record: bytes, commit: Commit) -> Row:
        """Return a record as it will be with a further commit."""


class ReservedCodes(Struct, frozen=True):
    """Codes that a record reserves for those made from it, whose ids begin as its own: `most`, from the one in `field` on."""

    field: str
    most: int


class CommitCheck(Protocol):
    """A server's check of a device's commit, beyond its form and units."""

    @property
    def reserved_codes(self) -> Mapping[str, ReservedCodes]:
        """The codes that records reserve, by type."""

    def check_commit(self, batch: JudgedBatch, commit: Commit) -> None:
        """Refuse a forbidden commit; any FieldsyncError."""

    def check_partner(self, batch: JudgedBatch, commit: Commit, row: Row | None) -> None:
        """Refuse a partner's commit about a record that it was never given, or a new one (no row) that nobody asked for."""


@dataclass(frozen=True)
class Extensions:
    """The hooks of one program."""

    projections: Sequence[Projection] = ()
    guards: Sequence[WriteGuard] = ()
    expanders: Sequence[DraftExpander] = ()
    checks: Sequence[CommitCheck] = ()

    @cached_property
    def reserved_codes(self) -> Mapping[str, ReservedCodes]:
        """The codes that records reserve, by type."""
        return {type_: codes for one in self.checks for type_, codes in one.reserved_codes.items()}

    def check_commit(self, batch: JudgedBatch, commit: Commit) -> None:
        """Ask all checks of commits; any FieldsyncError."""
        for one in self.checks:
            one.check_commit(batch, commit)

    def check_partner(self, batch: JudgedBatch, commit: Commit, row: Row | None) -> None:
        """Ask all checks of a partner's commits; any FieldsyncError."""
        for one in self.checks:
            one.check_partner(batch, commit, row)

    def update_projections(self, tx: Tx, rules: Rules, rows: Mapping[bytes, Row]) -> None:
        """Bring all projections up to date."""
        for one in self.projections:
            one.after_apply(tx, rules, rows)

    def check_write(self, role: str, type: str, fields: Mapping[str, Value], *, new: bool) -> None:
        """Ask all guards; RoleRefused, IllegalValue."""
        for one in self.guards:
            one.check_write(role, type, fields, new=new)

    def hidden_fields(self, role: str, kind: Type) -> frozenset[str]:
        """Return the fields that a role is not shown."""
        return frozenset[str]().union(*(one.hidden_fields(role, kind) for one in self.guards))

    def with_companions(self, node: Node, tx: Tx, draft: Draft) -> list[Draft]:
        """Return a new record's draft with those that go with it."""
        found = (one.companion_drafts(node, tx, draft) for one in self.expanders)
        return next((drafts for drafts in found if drafts is not None), [draft])

    def write_due(self, node: Node, tx: Tx, rows: Iterable[Row]) -> None:
        """Save due changes to changed records."""
        changed = list(rows)
        for one in self.expanders:
            one.after_apply(node, tx, changed)


_registered: list[Extensions] = []


def register_extensions(extensions: Extensions) -> None:
    """Have these hooks called from now on, in place of any others."""
    _registered[:] = [extensions]


def registered_extensions() -> Extensions:
    """Return the hooks. A program that registered none would leave its guards out, so it ends here."""
    if not _registered:
        raise RuntimeError("no extensions: call fieldsync.office.register() first")
    return _registered[0]
