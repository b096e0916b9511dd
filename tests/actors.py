"""What the tests' own processes do: serve a headquarters, work and sync on a laptop until somebody kills them, run a command; see warm.py."""

import os
import random
import signal
import sys
from itertools import count
from pathlib import Path

from fieldsync import cli, errors
from fieldsync.exchange.tables import export_records
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.server import http_server
from tests.cast import JBL, open_node, rows
from tests.pilot import shifted_clock


def serve(home: str, port: str) -> None:
    """Serve until told to stop."""
    http_server.serve_node(open_node(Path(home), shared=True), http_server.Listener("127.0.0.1", int(port)))


def work(home: str, seed: str) -> None:
    """Save and sync; each save that returned is told on the standard output at once, and no sooner."""
    node = open_node(Path(home))
    chance = random.Random(int(seed))
    for step in count():
        if chance.random() < 0.3:
            try:
                sync_once.sync_once(node)
                print("synced", flush=True)
            except errors.NoContact as fault:
                print("cut", fault.code, flush=True)
            continue
        known = [row for row in rows(node).values() if row.state.type == "household" and "_deleted" not in row.doc]
        if len(known) < 3 or chance.random() < 0.2:
            save.add_record(
                node, "household", Changes(set={"family_name": "محمد", "location": f"{node.letters} {step}"}), unit=JBL
            )
        else:
            ref = chance.choice(known).state.record.hex()
            save.edit_record(
                node, ref, Changes(set={chance.choice(["location", "address", "origin"]): f"{node.letters} {step}"})
            )
        with node.store.read() as tx:
            me = tx.device(node.device)
        assert me is not None
        print(f"saved {me.head}", flush=True)  # in one piece: it may be killed between two


def command(*words: str) -> None:
    """Run a command, and end as it ends."""
    shifted_clock.install()
    sys.argv[1:] = words
    cli.main()


def export_cut_short(home: str, type: str, out: str) -> None:
    """Write records to a file, and be killed when five hundred are written."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    export_records.export_records(open_node(Path(home)), type, Path(out), progress=die)


ROLES = {"serve": serve, "work": work, "command": command, "export_cut_short": export_cut_short}
