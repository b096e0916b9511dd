"""A store and its transactions, as open_store returns them for any database."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from fieldsync.environment import SYSTEM, Environment
from fieldsync.store.contract.authority import AuthorityReads, AuthorityWrites
from fieldsync.store.contract.bundles import BundleReads, BundleWrites
from fieldsync.store.contract.channels import ChannelReads, ChannelWrites
from fieldsync.store.contract.commits import CommitReads, CommitWrites
from fieldsync.store.contract.devices import DeviceReads, DeviceWrites
from fieldsync.store.contract.duplicates import DuplicateReads, DuplicateWrites
from fieldsync.store.contract.leases import LeaseWrites
from fieldsync.store.contract.projections import ProjectionReads, ProjectionWrites
from fieldsync.store.contract.quarantine import QuarantineReads, QuarantineWrites
from fieldsync.store.contract.records import RecordReads, RecordWrites
from fieldsync.store.contract.reports import ReportReader, ReportReads, ReportView, ReportWrites
from fieldsync.store.contract.servers import ServerReads, ServerWrites
from fieldsync.store.contract.settings import SettingReads, SettingWrites
from fieldsync.store.contract.trust import TrustReads, TrustWrites


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
    TrustReads,
    Protocol,
):
    """A reading transaction."""


class Tx(
    SettingWrites,
    LeaseWrites,
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
    TrustWrites,
    ReadTx,
    Protocol,
):
    """A writing transaction.

    act: the first commit of the act that is written in it, as replica/commit_writer.py notes it.
    """

    act: int | None

    def on_rollback(self, undo: Callable[[], None]) -> None:
        """Have this called if the transaction is rolled back: for what a node keeps in memory of its store."""


class Store(Protocol):
    """A node's store, open.

    serves_many: whether several processes may serve it at the same time.
    reports_need_tables: whether reports can read their tables only, and not the records themselves.
    """

    serves_many: bool
    reports_need_tables: bool

    def close(self) -> None:
        """Close it."""

    def write(self, *, durable: bool = True) -> AbstractContextManager[Tx]:
        """A writing transaction; unless `durable`, power loss may revert it (the data can be fetched again)."""

    def write_together(self, works: Sequence[Callable[[Tx], Any]]) -> list[Any]:
        """Do all of these in one durable transaction, and return what each returned, or raised: then nothing of that one is there."""

    def read(self) -> AbstractContextManager[ReadTx]:
        """A reading transaction with a consistent snapshot: writes are refused."""

    def is_writable(self) -> bool:
        """Return whether it takes writes at present: a standby's database, or a read-only disk, does not."""

    def change_counter(self) -> int:
        """Return a number that changes whenever another process has written; own writes do not change it."""

    def open_report_reader(
        self, views: Iterable[ReportView], unit: str | None, *, sheets: bool, environment: Environment = SYSTEM
    ) -> ReportReader:
        """Return a reader of its own for reports, to be closed; of a unit and those below it, or of all.

        With `sheets` it reads them where there are any. Its time limit is measured by `environment`.
        """

    def run_maintenance(self) -> None:
        """Do deferred work, such as sweeping and gathering; readers and writers continue meanwhile, but while purged records are erased."""

    def copy_to(self, path: Path) -> None:
        """Write a copy of the store as it is at this moment, under the same key; the store stays in use."""

    def find_damage(self) -> list[str]:
        """Return the damage that the database reports, or nothing."""
