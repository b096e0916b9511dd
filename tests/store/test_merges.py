"""Merges on SQLite: a change of one writes no others."""

from pathlib import Path

from fieldsync.core import record_ids
from fieldsync.store import new_store


def test_a_merge_reads_and_writes_no_other_family(tmp_path: Path) -> None:
    """SQLite takes as many steps among two thousand merged pairs as among none."""
    store = new_store(tmp_path, b"k" * 32)
    names = [record_ids.id_text(number.to_bytes(16)) for number in range(1, 4_011)]
    counts = []
    for many in (0, 4_000):
        with store.write() as tx:
            tx.set_merged(dict(zip(names[:many:2], names[1:many:2], strict=True)))
        steps = [0]

        def count(steps: list[int] = steps) -> int:
            steps[0] += 1
            return 0

        with store.write() as tx:
            tx.connection.set_progress_handler(count, 1)
            tx.set_merged({names[4_001]: names[4_002]})
            tx.connection.set_progress_handler(None, 1)
            written = tx.connection.total_changes
            tx.set_merged({names[4_001]: None})
            assert tx.connection.total_changes == written + 1
        counts.append(steps[0])
    assert counts[1] <= counts[0] * 1.2, counts
    store.close()
