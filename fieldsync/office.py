"""The composition root: registers the modules that know record types with the kernel, which knows none."""

from collections.abc import Iterable, Mapping

from fieldsync.core.commit import Commit
from fieldsync.core.grants import PARTNER
from fieldsync.core.register import Value
from fieldsync.replica import extensions
from fieldsync.replica.changes import Draft
from fieldsync.replica.extensions import JudgedBatch, ReservedCodes
from fieldsync.replica.merge_rules import Rules
from fieldsync.replica.node import Node
from fieldsync.schema.model import Type
from fieldsync.store import Tx
from fieldsync.store.contract import Row

# late imports: a command loads what it needs of casework, and no more


class PartnerSharing:
    """Shared channels on a server, and partners' permissions."""

    def after_apply(self, tx: Tx, rules: Rules, rows: Mapping[bytes, Row]) -> None:
        """Bring the shared channels up to date."""
        from fieldsync.casework import partner_sharing

        partner_sharing.update_shared_channels(tx, rules, rows)

    def rebuild_projection(self, tx: Tx, rules: Rules) -> None:
        """Work all shared channels out anew."""
        from fieldsync.casework import partner_sharing

        partner_sharing.rebuild_shared_channels(tx, rules)

    def check_write(self, role: str, type: str, fields: Mapping[str, Value], *, new: bool) -> None:
        """Check that a partner only answers referrals and records deliveries; RoleRefused, IllegalValue."""
        if role == PARTNER:
            from fieldsync.casework import partner_sharing

            partner_sharing.check_partner(type, fields, new=new)

    def hidden_fields(self, role: str, kind: Type) -> frozenset[str]:
        """Return the fields that a partner is not shown."""
        if role != PARTNER:
            return frozenset()
        from fieldsync.casework import partner_sharing

        return partner_sharing.hidden_from_partners(kind)


class HouseholdEvents:
    """Drafts that accompany a reported household event."""

    def companion_drafts(self, node: Node, tx: Tx, draft: Draft) -> list[Draft] | None:
        """Return an event with its reserved codes, and its family's immediate changes."""
        if draft.type != "household_event":
            return None
        from fieldsync.casework import household_events

        return household_events.complete_event(node, tx, draft)

    def after_apply(self, node: Node, tx: Tx, rows: Iterable[Row]) -> None:
        """Nothing is due to events."""


class SerialNumbers:
    """A server's serial numbers."""

    def companion_drafts(self, node: Node, tx: Tx, draft: Draft) -> list[Draft] | None:  # noqa: ARG002 - the hook's signature
        """Nothing goes with a new record."""
        return None

    def after_apply(self, node: Node, tx: Tx, rows: Iterable[Row]) -> None:
        """Give the numbers that are due."""
        from fieldsync.topology import serial_numbers

        serial_numbers.give_numbers(node, tx, rows)


class CaseworkChecks:
    """Checks of consents behind shared data, partners' commits, and codes reserved by household events."""

    @property
    def reserved_codes(self) -> Mapping[str, ReservedCodes]:
        """An event reserves codes for the families that its verification makes."""
        from fieldsync.casework import household_events

        return {household_events.EVENT: household_events.RESERVED}

    def check_commit(self, batch: JudgedBatch, commit: Commit) -> None:
        """Check the consent behind shared data; ConsentNeeded, IllegalValue."""
        from fieldsync.casework import partner_permissions

        partner_permissions.check_share(batch, commit)

    def check_partner(self, batch: JudgedBatch, commit: Commit, row: Row | None) -> None:
        """Check a partner's commit about shared records; NoRecord, UnitRefused."""
        from fieldsync.casework import partner_permissions

        partner_permissions.check_partner(batch, commit, row)


def register() -> None:
    """Register the social-affairs pack with the kernel."""
    sharing = PartnerSharing()
    extensions.register_extensions(
        extensions.Extensions(
            projections=[sharing],
            guards=[sharing],
            expanders=[HouseholdEvents(), SerialNumbers()],
            checks=[CaseworkChecks()],
        )
    )
