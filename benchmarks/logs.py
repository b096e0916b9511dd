"""One more entry in a log that has thousands: `python -m benchmarks.logs [ENTRIES]` prints milliseconds of processor time a save."""

import gc
import sys
import tempfile
import time
from pathlib import Path

from fieldsync import cli
from fieldsync.replica import changes, commit_writer, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests.cast import JBL, found_office, join_directly, open_node

TYPE, FIELD = "case", "notes"


def long_log(node: Node, entries: int) -> bytes:
    """Make a record whose log has so many entries, and return its id."""
    record = save.add_record(node, TYPE, Changes(say={FIELD: "first"}), unit=JBL)
    with node.store.write() as tx:
        device = tx.device(node.device)
        assert device is not None
        name = f"{FIELD}/{node.device.hex()[:8]}-"
        form = node.schema.type(TYPE).version
        said = range(device.head + 1, device.head + entries)
        drafts = [changes.Draft(record, TYPE, form, {f"{name}{seq}": f"ملاحظة {seq}"}, {}) for seq in said]
        commit_writer.commit_drafts(node, tx, drafts)
    return record


def costs(node: Node, record: bytes, times: int) -> list[float]:
    """Return what each of some more saves costs, in milliseconds of processor time."""
    found = []
    for i in range(times):
        before = time.process_time()
        save.edit_record(node, record.hex(), Changes(say={FIELD: f"ملاحظة أخرى {i}"}))
        found.append((time.process_time() - before) * 1_000)
    return found


def main(entries: str = "3000") -> None:
    """Measure on a store of its own."""
    gc.set_threshold(*cli.GARBAGE)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        found_office(home / "hq")
        hq = open_node(home / "hq")
        join_directly(hq, home / "amal", "Amal", "caseworker", [JBL])
        amal = open_node(home / "amal")
        found = sorted(costs(amal, long_log(amal, int(entries)), 20))
        print(f"{entries} entries: {found[len(found) // 2]:.1f} ms at the median, {found[0]:.1f} at best")
        amal.close()
        hq.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
