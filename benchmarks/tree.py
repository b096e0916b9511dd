"""A tree of three levels: a headquarters, 10 branches, 100 laptops; partitions, cut lines and sticks; in the end all are equal.

    python -m benchmarks.tree --branches 10 --laptops 100 --rounds 5

Servers are real processes, and so is each branch's way up; laptops are encrypted stores in a few processes. In each round
every laptop works, and then some sync with their branch (or with the headquarters, when they have heard of it), some over a
line that dies after a random number of bytes, some by stick, there and back, of which some are lost; others do nothing. The
branches do the same with the headquarters. Then the lines hold, and it is counted how many rounds it takes until every hop
has equal digests. Prints a table.
"""

import argparse
import contextlib
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.run import machine
from fieldsync import errors
from fieldsync.demo.story_runner import free_port
from fieldsync.protocol import sync_once
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema import load
from fieldsync.server import administration
from tests import cast, directly
from tests.lines import Relay, closing
from tests.tree import enrol_branch

PROCESSES = 2
EDITS = 4  # at most, of a laptop in a round
SILENT, CUT, STICK, LOST, HEADQUARTERS = 0.25, 0.3, 0.2, 0.2, 0.1
MOST_SETTLING = 6


class Tree(NamedTuple):
    """Where everything is: a folder for each node; the port on which each server listens."""

    folder: Path
    ports: dict[str, int]
    homes: dict[str, str]  # laptop → its branch

    def open(self, name: str) -> Node:
        """Open a node's store, whoever else has it open."""
        return cast.open_node(self.folder / name, shared=name in self.ports)


def plant(folder: Path, branches: int, laptops: int) -> Tree:
    """Found the headquarters and its branches, and enrol the laptops."""
    ports = {name: free_port() for name in ("hq", *(f"b{i}" for i in range(branches)))}
    texts = load.shipped_texts()
    cast.found_office(folder / "hq", ports["hq"])
    hq = cast.open_node(folder / "hq")
    tree = Tree(folder, ports, {f"l{i}": f"b{i % branches}" for i in range(laptops)})
    for i in range(branches):
        name, address = f"b{i}", f"https://127.0.0.1:{ports[f'b{i}']}"
        administration.init_server(
            folder / name, cast.fill, administration.ServerPlan(org="x", unit=f"LAT/B{i}", address=address), texts
        )
        branch = cast.open_node(folder / name)
        enrol_branch(hq, branch, f"LAT/B{i}")
        for laptop in (laptop for laptop, home in tree.homes.items() if home == name):
            cast.join_directly(branch, folder / laptop, laptop.upper(), "caseworker", [f"LAT/B{i}"])
        branch.close()
    hq.close()
    return tree


_Doing = Callable[[str], "Counter[str]"]


def _told(what: _Doing, name: str) -> "Counter[str]":
    """Do this for a node; what goes wrong in another process is told in its own words."""
    try:
        return what(name)
    except errors.FieldsyncError as fault:
        raise RuntimeError(f"{name}: {fault!r} {fault.facts}") from fault


class _Hand:
    """What goes on in one process: a line that can be cut, and a count of all that happened."""

    def __init__(self, tree: Tree, seed: str) -> None:
        self.tree = tree
        self.chance = random.Random(seed)
        self.count: Counter[str] = Counter()

    def by_line(self, node: Node, server: str, *, cut: bool) -> None:
        """Sync with a server over a line that dies somewhere, or holds."""
        with (
            closing(Relay(self.tree.ports[server])) as line,
            _meeting(node, self.tree.ports[server], line.port) as name,
        ):
            if cut:
                setattr(line, self.chance.choice(["cut_up", "cut_down"]), self.chance.randrange(300, 5_000))
            tally = SyncTally()
            try:
                told = sync_once.sync_once(node, name, tally=tally)
            except errors.NoContact:
                self.count["cuts"] += 1
            except errors.UnknownDevice:  # the headquarters hears of it from the branch
                self.count["not known yet"] += 1
            else:
                self.count["syncs"] += 1
                self.count["healed"] += told.digest == "healed"
                self.count["refused"] += told.refused
            self.count["bytes"] += line.up + line.down

    def by_stick(self, node: Node, server: str) -> None:
        """Carry a bundle to a server and its answer back; sticks are lost, too."""
        above = self.tree.open(server)
        up, down = (self.tree.folder / f"{node.letters}.{end}" for end in ("up", "down"))
        try:
            bundle_sync.pack_bundle(node, up)
            self.count["bundles"] += 1
            if self.chance.random() < LOST:
                self.count["bundles lost"] += 1
                return
            try:
                bundle_sync.unpack_bundle(above, up)
            except errors.Gap:  # it goes on behind what went to the headquarters by line
                self.count["bundles packed again"] += 1
                bundle_sync.pack_bundle(node, up, again=True)
                bundle_sync.unpack_bundle(above, up)
            with above.store.read() as tx:
                device = tx.device(node.device)
            assert device is not None
            bundle_sync.pack_reply(above, down, device)
            self.count["bundles"] += 1
            if self.chance.random() < LOST:
                self.count["bundles lost"] += 1
                return
            bundle_sync.unpack_bundle(node, down)
        except errors.NeedsBundle:
            self.count["bundles before their turn"] += 1
        finally:
            above.close()
            self.count["bytes"] += sum(file.stat().st_size for file in (up, down) if file.exists())
            for file in (up, down):
                file.unlink(missing_ok=True)

    def somehow(self, node: Node, server: str) -> None:
        """Sync in one of the ways that there are, or not at all."""
        if self.chance.random() < SILENT:
            self.count["partitions"] += 1
        elif self.chance.random() < STICK:
            self.by_stick(node, server)
        else:
            self.by_line(node, server, cut=self.chance.random() < CUT)

    def work(self, node: Node) -> None:
        """Register families, and edit any that the laptop knows: other laptops edit the same."""
        with node.store.read() as tx:
            held = tx.ids_of_type("household")
        for _ in range(self.chance.randrange(1, EDITS + 1)):
            self.count["edits"] += 1
            if len(held) < 3 or self.chance.random() < 0.3:
                held.append(
                    save.add_record(node, "household", Changes(set={"family_name": "محمد", "location": "جبلة"}))
                )
                continue
            field = self.chance.choice(["location", "address", "origin"])
            value = f"{node.letters} {self.chance.randrange(1 << 30)}"
            save.edit_record(node, self.chance.choice(held).hex(), Changes(set={field: value}))


@contextlib.contextmanager
def _meeting(node: Node, port: int, through: int) -> Iterator[str]:
    """Have a node meet the server of a port by another one, for a while; yields the server's name for `sync`."""
    usual, other = f"https://127.0.0.1:{port}", f"https://127.0.0.1:{through}"
    with node.store.write() as tx:
        tx.sql("UPDATE server SET address = ? WHERE address = ?", (other, usual))
    try:
        yield other
    finally:
        with node.store.write() as tx:
            tx.sql("UPDATE server SET address = ? WHERE address = ?", (usual, other))


def _knows(node: Node, port: int) -> bool:
    with node.store.read() as tx:
        return any(server.address == f"https://127.0.0.1:{port}" for server in tx.servers())


def laptop_round(tree: Tree, number: int, laptop: str) -> Counter[str]:
    """Work on a laptop, and sync it somehow."""
    hand = _Hand(tree, f"{number} {laptop}")
    node = tree.open(laptop)
    hand.work(node)
    away = hand.chance.random() < HEADQUARTERS and _knows(node, tree.ports["hq"])
    if away:
        hand.count["at the headquarters"] += 1
        hand.by_line(node, "hq", cut=False)
    else:
        hand.somehow(node, tree.homes[laptop])
    node.close()
    return hand.count


def branch_round(tree: Tree, number: int, branch: str) -> Counter[str]:
    """Sync a branch with the headquarters somehow, while it serves."""
    hand = _Hand(tree, f"{number} {branch}")
    node = tree.open(branch)
    hand.somehow(node, "hq")
    node.close()
    return hand.count


def settle(tree: Tree, _number: int, name: str) -> Counter[str]:
    """Sync a laptop or a branch over a line that holds."""
    hand = _Hand(tree, name)
    node = tree.open(name)
    hand.by_line(node, tree.homes.get(name, "hq"), cut=False)
    node.close()
    return hand.count


def differing(tree: Tree) -> int:
    """Return how many channels differ, over all hops."""
    found = 0
    servers = {name: tree.open(name) for name in tree.ports}
    for name in (*tree.homes, *(name for name in tree.ports if name != "hq")):
        node = servers.get(name) or tree.open(name)
        found += len(directly.differing(node, servers[tree.homes.get(name, "hq")]))
        if name not in servers:
            node.close()
    for node in servers.values():
        node.close()
    return found


def grow(folder: Path, branches: int, laptops: int, rounds: int) -> tuple[Counter[str], dict[str, float]]:
    """Play it; return what happened, and the figures."""
    began = time.perf_counter()
    tree = plant(folder, branches, laptops)
    planted = time.perf_counter()
    total: Counter[str] = Counter()
    names = [name for name in tree.ports if name != "hq"]
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(PROCESSES, context))
        for name, port in tree.ports.items():
            stack.enter_context(cast.serving(folder / name, port))

        def everybody(what: _Doing, who: list[str]) -> None:
            for one in pool.map(partial(_told, what), who):
                total.update(one)

        for number in range(rounds):
            everybody(partial(laptop_round, tree, number), list(tree.homes))
            everybody(partial(branch_round, tree, number), names)
        before, played = differing(tree), time.perf_counter()
        settling = 0
        while differing(tree) or not settling:
            settling += 1
            assert settling <= MOST_SETTLING, "it does not converge"
            everybody(partial(settle, tree, settling), list(tree.homes))
            everybody(partial(settle, tree, settling), names)
            everybody(partial(settle, tree, settling), names)
            everybody(partial(settle, tree, settling), list(tree.homes))
    hq = tree.open("hq")
    with hq.store.read() as tx:
        figures = {
            "set up": planted - began, "rounds": played - planted, "settling": time.perf_counter() - played,
            "differing before": before, "differing": differing(tree), "settling rounds": settling, "records": tx.count_records(),
            "conflicts": tx.in_conflict(), "aside": sum(len(tx.refusals(one.id)) for one in tx.devices()),
        }  # fmt: skip
    hq.close()
    return total, figures


def table(total: Counter[str], figures: dict[str, float], branches: int, laptops: int, rounds: int) -> str:
    """Return the figures."""
    rows = [
        ("a tree", "measured"),
        ("---", "---"),
        ("servers, laptops, rounds", f"{1 + branches}, {laptops}, {rounds}"),
        ("edits; records, with an open conflict", f"{total['edits']:,}; {figures['records']:,}, {figures['conflicts']:,}"),
        ("syncs that ended", f"{total['syncs']:,}"),
        ("tried at the headquarters; before it knew of them", f"{total['at the headquarters']}; {total['not known yet']}"),
        ("cuts, partitions", f"{total['cuts']}, {total['partitions']}"),
        ("bundles, lost, before their turn", f"{total['bundles']}, {total['bundles lost']}, {total['bundles before their turn']}"),
        ("bytes both ways, TLS and sticks included", f"{total['bytes']:,} ({total['bytes'] / max(total['edits'], 1):,.0f} an edit)"),
        ("commits that waited for others, kept aside at the end", f"{total['refused']}, {figures['aside']}"),
        ("channels healed", f"{total['healed']}"),
        ("channels that differed when the lines held again", f"{figures['differing before']:.0f}"),
        ("rounds until all hops were equal (up, up again, down)", f"{figures['settling rounds']:.0f}"),
        ("channels that differ at the end, over all hops", f"{figures['differing']:.0f}"),
        ("seconds: set up, rounds, settling", f"{figures['set up']:.0f}, {figures['rounds']:.0f}, {figures['settling']:.0f}"),
    ]  # fmt: skip
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> None:
    """Run, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--branches", type=int, default=10)
    arguments.add_argument("--laptops", type=int, default=100)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        total, figures = grow(Path(folder), given.branches, given.laptops, given.rounds)
    print(f"A tree on {machine()}\n\n{table(total, figures, given.branches, given.laptops, given.rounds)}")


if __name__ == "__main__":
    main()
