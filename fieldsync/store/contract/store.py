"""A store and its transactions, as open_store returns them for any database."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from fieldsync.store.contract.authority import AuthorityReads, AuthorityWrites
from fieldsync.store.contract.bundles import BundleReads, BundleWrites
from fieldsync.store.contract.channels import ChannelReads, ChannelWrites
from fieldsync.store.contract.commits import CommitReads, CommitWrites
from fieldsync.store.contract.devices import DeviceReads, DeviceWrites
from fieldsync.store.contract.duplicates import DuplicateReads, DuplicateWrites
from fieldsync.store.contract.projections import ProjectionReads, ProjectionWrites
from fieldsync.store.contract.quarantine import QuarantineReads, QuarantineWrites
from fieldsync.store.contract.records import RecordReads, RecordWrites
from fieldsync.store.contract.reports import ReportReader, ReportReads, ReportView, ReportWrites
from fieldsync.store.contract.servers import ServerReads, ServerWrites
from fieldsync.store.contract.settings import SettingReads, SettingWrites


class ReadTx(
    SettingReads,
    DeviceReads,
    AuthorityReads,
    CommitReads,
    ServerReads,
    BundleReads,
    RecordReads,
    ChannelReads,
    ProjectionReads,
    DuplicateReads,
    QuarantineReads,
    ReportReads,
    Protocol,
):
    """What can be asked within one transaction."""


class Tx(
    SettingWrites,
    DeviceWrites,
    AuthorityWrites,
    CommitWrites,
    ServerWrites,
    BundleWrites,
    RecordWrites,
    ChannelWrites,
    ProjectionWrites,
    DuplicateWrites,
    QuarantineWrites,
    ReportWrites,
    ReadTx,
    Protocol,
):
    """What can be asked and changed within one that writes.

    act: the first commit of the act that is written in it, as replica/commit_writer.py notes it.
    """

    act: int | None


class Store(Protocol):
    """A node's store, open."""

    def close(self) -> None:
        """Close it."""

    def write(self, *, durable: bool = True) -> AbstractContextManager[Tx]:
        """One transaction that may write; unless `durable`, power loss may take it back whole (it can be fetched again)."""

    def write_together(self, works: Sequence[Callable[[Tx], Any]]) -> list[Any]:
        """Do all of these in one durable transaction, and return what each returned, or raised: then nothing of that one is there."""

    def read(self) -> AbstractContextManager[ReadTx]:
        """One transaction that only reads, all from one moment: whatever would write is refused."""

    def change_counter(self) -> int:
        """Return a number that changes whenever another process has written; what is written here does not change it."""

    def open_report_reader(self, views: Iterable[ReportView], unit: str | None, *, sheets: bool) -> ReportReader:
        """Return a reader of its own for reports, to be closed; of a unit and those below it, or of all.

        With `sheets` it reads them where there are any.
        """

    def run_maintenance(self) -> None:
        """Do what was put off, such as sweeping and gathering; readers and writers go on meanwhile."""

    def copy_to(self, path: Path) -> None:
        """Write a copy of the store as it is at this moment, under the same key; the store stays in use."""

    def find_damage(self) -> list[str]:
        """Return what the database finds wrong with itself: nothing, if all is well."""
