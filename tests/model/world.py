"""One history's nodes: real stores in a folder of their own, on clocks that the history sets."""

import itertools
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import structs

from fieldsync import errors
from fieldsync.environment import Environment
from fieldsync.protocol.sync_once import sync_once
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica.node import Node
from fieldsync.store.contract import Row
from tests.cast import open_node, rows
from tests.model import cast
from tests.model import national as founding
from tests.model.disk import FaultyDisk
from tests.model.forms import Book
from tests.model.ledger import Fact, Identity, Ledger
from tests.model.network import Line, Network
from tests.model.oracle.commits import Commit
from tests.model.oracle.fields import SHELTER
from tests.model.trace import Trace

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


class Broken(AssertionError):
    """Something that the design promises does not hold; `check` names which."""

    def __init__(self, check: str, what: str) -> None:
        super().__init__(f"{check}: {what}")
        self.check = check
        self.what = what


class World:
    """The nodes of one history, what they are called in its script, and what the driver noted of it."""

    def __init__(
        self,
        seed: object,
        people: Sequence[str] = tuple(cast.PEOPLE),
        trace: Trace | None = None,
        *,
        national: bool = False,
    ) -> None:
        self.trace = trace or Trace(keep=False)
        self.network = Network(lambda: self.now / SECOND, self._sleep, self.trace)
        self.environment = structs.replace(
            cast.seeded(f"world {seed}", self._wall_clock, self._sleep), adapter=self.network.adapter
        )
        self.seed = seed
        self.national = national  # headquarters is two processes on a database
        self._looks = itertools.count()
        self.home = Path(tempfile.mkdtemp(prefix="fieldsync-history-"))
        self.now = cast.BEGIN
        self.skews: dict[str, int] = {}
        self.skewed: set[str] = set()  # whose clock was ever off
        self.step = 0
        self.nodes: dict[str, Node] = {}
        self.folders: dict[str, Path] = {}
        self.disks: dict[str, FaultyDisk] = {}
        self.server_of = {name: server for name, (server, *_) in cast.PEOPLE.items()}
        self.records: dict[str, bytes] = {}  # by their names in the script
        self.types: dict[str, str] = {}
        self.bundles: dict[str, tuple[Path, str, str]] = {}  # file, whose, for whom
        self.arrived: set[str] = set()  # bundles that were unpacked
        self.images: dict[str, tuple[Path, str, Book]] = {}  # folder, of which node
        self.revoked: set[str] = set()
        self.copied: set[str] = set()  # nodes of which a copy was put back or cloned
        self.imaged: set[str] = (
            set()
        )  # those that were put back from an image of their disk, which docs/operations.md forbids
        self.lost_power: set[str] = set()  # servers
        self.book = Book()
        self.books: dict[bytes, Book] = {}  # all that headquarters ever published
        self.published_again = False  # headquarters published others after it was put back
        self.ledger = Ledger(self.trace)
        self.unfinished: Callable[[], None] = lambda: None  # notes what an interrupted save wrote
        self.skip: frozenset[str] = frozenset()  # checks that are not made
        self.told: dict[str, tuple[tuple[str, str], ...]] = {}  # the grants that headquarters told a laptop last
        self.news: dict[
            str, dict[bytes, tuple[str, tuple[tuple[str, str], ...]]]
        ] = {}  # what a branch was told of devices
        self.granted: defaultdict[str, set[str]] = defaultdict(set)  # the units that a laptop ever had
        self.reserved: set[str] = set()  # names that a story will give
        self.focus = ""  # the record with which most happens
        self.fed = ""  # the server that took something new last
        self.edited: tuple[str, str, frozenset[str]] = "", "", frozenset()  # who edited what last, and which fields
        self.room = 8  # for about so many shelters
        self._ids: dict[str, tuple[tuple[int, int], set[bytes]]] = {}
        self._opened: Counter[str] = Counter()
        self._scanned: dict[str, tuple[int, int]] = {}
        self.branches = {
            name: unit for name, unit in cast.BRANCHES.items()
            if name in cast.USUAL or any(cast.PEOPLE[one][0] == name for one in people)
        }  # fmt: skip
        self.servers = ("hq", *self.branches)
        for name in (*self.servers, *people):
            if national and name == "hq":
                founding.found(self.home / name)
            else:
                shutil.copytree(cast.template() / name, self.home / name)
            self.open(name, self.home / name)
            self.scan(name)
        for label in cast.FIRST:
            self.records[label], self.types[label] = cast.record_id("first", label, cast.BEGIN), SHELTER

    def _wall_clock(self) -> int:
        return self.now

    def _sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass; servers do meanwhile what they do by themselves."""
        self.network.pass_time(milliseconds / SECOND)

    def open(self, name: str, folder: Path) -> Node:
        """Open a node's store on its clock and its disk."""
        if self.folders.get(name) != folder:
            self.disks[name] = FaultyDisk(folder)
        node = open_node(folder, environment=self.environment_of(name))
        self.nodes[name], self.folders[name] = node, folder
        self._opened[name] += 1
        if self.national and name == "hq":
            self.second = open_node(folder, environment=self.environment_of(name))
            self.network.serve(cast.host(name), node, self.second)
        elif name in self.servers:
            self.network.serve(cast.host(name), node)
        return node

    def _close_node(self, name: str) -> None:
        self.nodes[name].close()
        if self.national and name == "hq":
            self.second.close()

    def environment_of(self, name: str) -> Environment:
        """Return what a node's computer gives it: its own clock, and of the rest what all have."""
        return structs.replace(self.environment, wall_clock=lambda: self.now + self.skews.get(name, 0))

    @contextmanager
    def over(self, line: Line) -> Iterator[None]:
        """Have connections made over a line."""
        outer, self.network.line = self.network.line, line
        try:
            yield
        finally:
            self.network.line = outer

    def close(self) -> None:
        """Close all stores and forget them."""
        for disk in self.disks.values():
            disk.off = True  # which spares the stores a last checkpoint
        for name in self.nodes:
            self._close_node(name)
        if self.national:
            founding.forget(self.folders["hq"])
        for disk in self.disks.values():
            disk.close()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def laptops(self) -> list[str]:
        """The laptops, clones among them."""
        return [name for name in self.nodes if name not in self.servers]

    def record_id(self, label: str) -> bytes:
        """Return the id of the record that a script calls so: of its time, and the same in each run."""
        return cast.record_id(self.seed, label, self.now)

    def fresh(self, kind: str) -> str:
        """Return a name that the script has not given yet: `shelter 4`."""
        taken = {*self.records, *self.bundles, *self.images, *self.reserved}
        return next(label for number in itertools.count(1) if (label := f"{kind} {number}") not in taken)

    def label_of(self, record: bytes) -> str:
        """Return what a script calls a record."""
        return next((label for label, one in self.records.items() if one == record), record.hex()[:8])

    def server_id(self, name: str) -> bytes:
        """Return the id by which others know a server: of the device that it was first."""
        return self.nodes[name].serving_key.device

    def name_of(self, device: bytes) -> str:
        """Return whose a device is."""
        return next((name for name, node in self.nodes.items() if node.device == device), device.hex()[:6])

    def row(self, name: str, label: str) -> Row | None:
        """Return a record as a node holds it."""
        record = self.records.get(label)
        if record is None:
            return None
        with self.nodes[name].store.read() as tx:
            return tx.rows([record]).get(record)

    def rows(self, name: str) -> dict[str, Row]:
        """Return a node's records by their names in the script."""
        found = rows(self.nodes[name])
        return {label: found[record] for label, record in self.records.items() if record in found}

    def ids(self, name: str) -> set[bytes]:
        """Return the ids of a node's records; read again only where its store has changed."""
        node = self.nodes[name]
        known = self._ids.get(name)
        version = self.version(name)
        if known is None or known[0] != version:
            with node.store.read() as tx:
                known = self._ids[name] = version, {row[0] for row in tx.sql("SELECT id FROM record")}
        return known[1]

    def forget(self, name: str) -> None:
        """Forget what a node's log was known to hold: it is read anew."""
        self.ledger.forget(name)
        self._scanned.pop(name, None)

    def version(self, name: str) -> tuple[int, int]:
        """Return what differs after each change of a node's store."""
        if self.national and name == "hq":
            return self._opened[name], next(self._looks)
        return self._opened[name], self.nodes[name].store._writer.total_changes  # type: ignore[attr-defined]

    def held(self, name: str, type: str | None = None) -> list[str]:
        """Return the records that a node holds, by their names in the script."""
        found = self.ids(name)
        return sorted(
            label for label, record in self.records.items() if record in found and type in (None, self.types[label])
        )

    def lost_names(self) -> set[str]:
        """Return both names of fields that lost forms had renamed: laptops that had these keep the new ones (decision 0039)."""
        pairs = {pair for book in self.books.values() for pair in book.renamed.items()}
        lost = {name for pair in pairs - self.book.renamed.items() for name in pair}
        while more := {new for old, new in pairs if old in lost} - lost:  # renamed on, by forms that gave a name again
            lost |= more
        return lost

    @contextmanager
    def saving(self, name: str, kind: str, *labels: str) -> Iterator[Node]:
        """Note what a save on a node wrote, and what the node had of these records before."""
        node = self.nodes[name]
        renamed = frozenset(pair for book in self.books.values() for pair in book.renamed.items())
        before = {
            self.records[one]: self.ledger.before(self.row(name, one), renamed) for one in labels if one in self.records
        }
        grants = tuple((grant.unit, grant.role) for grant in node.grants)

        def note() -> None:
            for commit in self.scan(name):
                others = {record: one for record, one in before.items() if record != commit.record}
                fact = Fact(name, self.step, kind, self.skews.get(name, 0), grants, before.get(commit.record), others)
                fact.stale = self.told.get(name, grants) != grants
                self.ledger.facts.setdefault(commit.identity, fact)

        self.unfinished = note
        yield node
        note()

    def scan(self, name: str) -> list[Commit]:
        """Read what is new in a node's log; return what its own device wrote of it."""
        version = self.version(name)
        if self._scanned.get(name) == version:
            return []
        self._scanned[name] = version
        self.granted[name.removesuffix("'s clone")].update(self.nodes[name].units)
        return self.ledger.scan(name, self.nodes[name])

    def sync(
        self, name: str, server: str, line: Line | None = None, meanwhile: Callable[[], object] | None = None
    ) -> SyncTally:
        """Sync a node with a server, and note what the server took. `meanwhile` happens in between, as the line says."""
        known, line = self.revoked_at(server), line or Line()
        node, serving, tally = self.nodes[name], self.server_id(server), SyncTally()
        with node.store.read() as tx:
            named = next(one.name for one in tx.servers() if one.id == serving)

        def interrupt() -> None:
            nonlocal known
            self.taken(server, name, known)
            if meanwhile is not None:
                meanwhile()
            known = self.revoked_at(server)

        line.meanwhile = interrupt
        try:
            with self.over(line):
                sync_once(node, named, tally=tally)
            if server == "hq":
                self.told[name] = tuple((grant.unit, grant.role) for grant in self.nodes[name].grants)
            return tally
        finally:
            if server == "hq":
                self.forms_in_force()
            if server == "hq" and name in self.branches:
                self.answered(name)
            self.taken(server, name, known)
            self.scan(name)

    def forms_in_force(self) -> None:
        """Note which forms headquarters has: it gets those that it lost again from whoever has them."""
        with self.nodes["hq"].store.read() as tx:
            self.book = self.books.get(tx.settings.forms, self.book)

    def answered(self, branch: str) -> None:
        """Note what headquarters has told a branch of devices, or tried to: from then on the branch's word counts no more."""
        with self.nodes["hq"].store.read() as tx:
            self.news[branch] = {
                device.id: (device.state, tuple((grant.unit, grant.role) for grant in device.grants))
                for device in tx.devices()
            }

    def revoked_at(self, server: str) -> set[bytes]:
        """Return the devices that a server knows to be revoked."""
        with self.nodes[server].store.read() as tx:
            return {device.id for device in tx.devices() if device.state == "revoked"}

    def locked(self, name: str) -> bool:
        """Say whether a laptop's server lets it sync no more, or does not know it."""
        with self.nodes[self.server_of[name]].store.read() as tx:
            device = tx.device(self.nodes[name].device)
        return device is None or device.key is None or device.state == "revoked"

    def lost(self) -> set[Identity]:
        """Return the saves that can reach nobody any more, and that somebody may know all the same.

        No log has them; or servers had taken them, were put back, and only laptops have them that are locked out (docs/decisions/0015),
        or only as a copied laptop's, under another name.
        """
        shut = {name for name in self.laptops if self.locked(name)}
        facts, logs, former = self.ledger.facts, self.ledger.logs, self.ledger.former_logs
        renamed = {
            self.ledger.commits[hash].identity
            for hash, had in former.items()
            if not logs[hash] and had & {*self.servers}
        }
        return renamed | {
            one for one, held in self.ledger.holders.items()
            if not held or (held <= shut and one in facts and facts[one].first_taken is not None)
        }  # fmt: skip

    def taken(self, server: str, sender: str, locked: set[bytes]) -> None:
        """Note the commits that a server has taken, and what it knew of their devices."""
        before = {identity for identity, held in self.ledger.holders.items() if server in held}
        self.scan(server)
        for identity, held in list(self.ledger.holders.items()):
            fact = self.ledger.facts.get(identity)
            if server in held and identity not in before and fact is not None and fact.first_taken is None:
                fact.first_taken = server, self.step
                self.fed = server
                fact.delivered_with = self.skews.get(sender, 0)
                device = self.ledger.saved[identity].device
                state, grants = self.news.get(server, {}).get(device, ("", fact.grants))
                fact.locked = device in locked or state == "revoked"
                fact.stale = fact.stale or grants != fact.grants

    def replace(self, name: str, folder: Path) -> None:
        """Put another store in a node's place: what only the old one held is lost, and nobody's fault."""
        if name in self.nodes:
            self._close_node(name)
            self.disks[name].close()
            self.forget(name)
        self.open(name, folder)
        self.scan(name)


FORGIVEN: dict[str, tuple[type[errors.FieldsyncError], ...]] = {
    "save": (errors.BadInput, errors.NotFound, errors.UnitRefused, errors.RoleRefused, errors.MustDecide, errors.ConsentNeeded, errors.Forked),
    "sync": (errors.CutOff, errors.Unreachable, errors.Revoked, errors.UnknownDevice, errors.Forked),
    "bundle": (errors.Gap, errors.NeedsBundle, errors.Forked, errors.BadBundle, errors.Revoked, errors.NoRecipient, errors.NotFound),
    "office": (errors.NoDevice, errors.UnitRefused, errors.RoleRefused, errors.SchemaFaults, errors.Refused),
}  # fmt: skip
"""The documented errors of each kind of operation; anything else is a fault."""
