"""One replica's edits of workload W, a commit each, made offline on an enrolled laptop."""

import json
import sys
from pathlib import Path

from fieldsync.core import record_ids
from fieldsync.replica import commit_writer, save
from fieldsync.replica import node as nodes

TYPE = "survey_household"
_PART = 500


def main(home: str, key_file: str, edits: str, replica: str) -> None:
    """Make the edits in the order of their time."""
    secret = Path(key_file).read_bytes()
    node = nodes.open_node(Path(home), lambda slots: slots.open_keyfile(secret))
    kind = node.schema.type(TYPE)
    with Path(edits).open(encoding="utf-8") as lines:
        mine = [one for one in map(json.loads, lines) if one["replica"] == int(replica)]
    mine.sort(key=lambda one: one["at"])
    with node.store.write() as tx:
        for i in range(0, len(mine), _PART):
            part = [(record_ids.from_text(one["id"]), one["set"]) for one in mine[i : i + _PART]]
            rows = tx.rows([record for record, _ in part])
            commit_writer.commit_drafts(node, tx, [save.draft_edit(node, rows[record], kind, s) for record, s in part])
    node.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
