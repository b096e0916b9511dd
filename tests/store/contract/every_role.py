"""What every store must do, whatever database it is on: all roles of the contract.

Subclass it beside a fixture `fresh`, which returns a function that makes a new, empty store; it is run on each store that there is.
"""

from pathlib import Path

from fieldsync.store import Store, Tx
from tests.store.contract.channels import ChannelContract, ProjectionContract
from tests.store.contract.commits import BundleContract, CommitContract, ServerContract
from tests.store.contract.device_lists import DeviceListContract
from tests.store.contract.devices import AuthorityContract, DeviceContract
from tests.store.contract.duplicates import DuplicateContract, ReportContract
from tests.store.contract.leases import LeaseContract
from tests.store.contract.quarantine import QuarantineContract
from tests.store.contract.records import RecordContract
from tests.store.contract.transactions import SettingContract, TransactionContract
from tests.store.contract.trust import TrustContract

NOT_HERE = {
    "save_rows": "by replica.apply, in every test that puts a record",
    "copy_to": "a copy is opened by what made it: tests/topology/test_backups.py",
}


class StoreContract(
    TransactionContract, SettingContract, RecordContract, ChannelContract, ProjectionContract, CommitContract, ServerContract,
    BundleContract, DeviceContract, DeviceListContract, LeaseContract, AuthorityContract, DuplicateContract, QuarantineContract, ReportContract, TrustContract,
):  # fmt: skip
    """All roles."""

    def test_the_contract_is_tested_as_a_whole(self) -> None:
        """Every method of the contract is called by one of its tests."""
        code = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
        named = {name for role in (Tx, Store) for name in dir(role) if not name.startswith("_")}
        assert {name for name in named if f".{name}" not in code} == NOT_HERE.keys()
