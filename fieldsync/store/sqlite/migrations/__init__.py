"""Numbered, append-only changes to the tables; each is recorded in its own transaction (sqlite-utils' migrations)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

LATEST = 12


def bring_up_to_date(db: "sqlite_utils.Database") -> None:
    """Apply the migrations that this store lacks."""
    from sqlite_utils.migrations import Migrations

    from fieldsync.store.sqlite.migrations import (
        m0001_first,
        m0002_quarantine,
        m0003_device_families,
        m0004_merges,
        m0005_authority,
        m0006_left_unheld,
        m0007_verdicts,
        m0008_asked,
        m0009_contacts,
        m0010_device_lists,
        m0011_leases,
        m0012_trust_register,
    )

    steps = Migrations("fieldsync")
    steps(name="0001_first")(m0001_first.apply)
    steps(name="0002_quarantine")(m0002_quarantine.apply)
    steps(name="0003_device_families")(m0003_device_families.apply)
    steps(name="0004_merges")(m0004_merges.apply)
    steps(name="0005_authority")(m0005_authority.apply)
    steps(name="0006_left_unheld")(m0006_left_unheld.apply)
    steps(name="0007_verdicts")(m0007_verdicts.apply)
    steps(name="0008_asked")(m0008_asked.apply)
    steps(name="0009_contacts")(m0009_contacts.apply)
    steps(name="0010_device_lists")(m0010_device_lists.apply)
    steps(name="0011_leases")(m0011_leases.apply)
    steps(name="0012_trust_register")(m0012_trust_register.apply)
    steps.apply(db)
    db.execute(f"PRAGMA user_version = {LATEST}")
