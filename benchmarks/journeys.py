"""The program's functions that a save, a sync, a decision and a referral pass, in the order of their first calls.

`python -m benchmarks.journeys sync` prints those of the sync, file by file; `--json` prints all journeys. Commands run as people type
them, against a server that serves over HTTPS in this process. docs/architecture.md tells these journeys; a test compares the two.
"""

import contextlib
import io
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import groupby, takewhile
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import fieldsync
from fieldsync import cli
from fieldsync.core import record_ids
from fieldsync.demo.story_runner import free_port
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.server import http_server
from tests import cast
from tests.casework import sharing_cast
from tests.directly import sync

_HOME = f"{Path(fieldsync.__file__).parent}{os.sep}"
Call = tuple[str, str]  # file below fieldsync/, function with its class


class Tracer:
    """Collects the program's functions that run while it records, in all threads that are started after `install`."""

    def __init__(self) -> None:
        self._codes: dict[CodeType, None] = {}
        self._records = False

    def install(self) -> None:
        """Watch this thread, and those started from now on."""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def _profile(self, frame: Any, event: str, _argument: object) -> None:
        if self._records and event == "call":
            self._codes.setdefault(frame.f_code)

    def calls(self, work: Callable[[], object]) -> list[Call]:
        """Do some work and return what it called, in the order of first calls; no modules' own code."""
        self._codes.clear()
        self._records = True
        try:
            work()
        finally:
            self._records = False
        ours = [code for code in self._codes if code.co_filename.startswith(_HOME) and code.co_name != "<module>"]
        return list(dict.fromkeys((code.co_filename.removeprefix(_HOME), code.co_qualname) for code in ours))


class Step(NamedTuple):
    """A command, told as `amal: edit`, and what it called, at the server too."""

    told: str
    calls: list[Call]


class Journey:
    """Commands typed one after the other, each traced."""

    def __init__(self, home: Path, tracer: Tracer) -> None:
        self._home, self._tracer = home, tracer
        self.steps: list[Step] = []

    def type(self, who: str, *words: str) -> str:
        """Run a command as somebody types it and return what it prints; AssertionError with that if it fails."""
        said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        codes: list[int] = []
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            calls = self._tracer.calls(lambda: codes.append(cli.run(["--home", str(self._home / who), *words])))
        text = said.buffer.getvalue().decode()  # type: ignore[attr-defined]  # a BytesIO
        assert codes == [0], (words, text)
        self.steps.append(Step(f"{who}: {' '.join(takewhile(str.isalpha, words))}", calls))
        return text


def _office(home: Path, port: int) -> tuple[str, str]:
    """Make the cast with two charities; return a household in conflict at headquarters and a person who consents to be referred."""
    cast.found_cast(home)
    sharing_cast.add_partners(home)
    cast.move_office(home, port)
    clock = cast.Clock(time.time_ns() // 1_000_000)
    nodes = {name: cast.open_node(home / name, clock) for name in ("hq", "amal", "basim", "samar", "huda")}
    amal, basim = nodes["amal"], nodes["basim"]
    charity = sharing_cast.organisation(nodes["samar"], sharing_cast.ALBIR, "البر")
    family, person = sharing_cast.family(amal, cast.JBL)
    for name in ("samar", "amal", "basim", "huda", "amal"):
        sync(nodes[name], nodes["hq"])
    sharing_cast.consent(amal, person, record_ids.id_text(charity))
    sync(amal, nodes["hq"])
    clock.tick(60_000)
    record = record_ids.id_text(family)
    save.edit_record(basim, record, Changes(set={"location": "Homs"}))
    sync(basim, nodes["hq"])
    for node in nodes.values():
        node.close()
    return record, record_ids.id_text(person)


def _journeys(home: Path, record: str, person: str, tracer: Tracer) -> dict[str, list[Step]]:
    save, sync, decision, referral = (Journey(home, tracer) for _ in range(4))
    save.type("amal", "edit", record, "--set", "location=Hama")
    sync.type("amal", "sync")
    decision.type("samar", "sync")
    decision.type("samar", "review", "take", record, "location", "--value", "Homs")
    decision.type("samar", "sync")
    decision.type("amal", "sync")
    request = ("--to", sharing_cast.ALBIR, "--reason", "needs a stove", "--share", "given", "--json")
    made = json.loads(referral.type("amal", "refer", person, *request))
    referral.type("amal", "sync")
    referral.type("huda", "sync")
    referral.type("huda", "referral", "accept", made["id"])
    referral.type("huda", "sync")
    referral.type("amal", "sync")
    return {"save": save.steps, "sync": sync.steps, "decision": decision.steps, "referral": referral.steps}


def play(home: Path) -> dict[str, list[Step]]:
    """Play all journeys in a new office below `home`; return the steps of each. Runs in a process of its own: it takes SIGTERM."""
    port, tracer, done = free_port(), Tracer(), dict[str, list[Step]]()
    record, person = _office(home, port)
    (home / "key").write_bytes(cast.SECRET)
    os.environ.update({"FIELDSYNC_KEY_FILE": str(home / "key"), "FIELDSYNC_LANG": "en"})

    def work() -> None:
        try:
            _wait_for(port)
            done.update(_journeys(home, record, person, tracer))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    tracer.install()
    client = threading.Thread(target=work)
    client.start()
    http_server.serve_node(cast.open_node(home / "hq", shared=True), http_server.Listener("127.0.0.1", port))
    client.join()
    assert done, "a command failed: see above"
    return done


def _wait_for(port: int) -> None:
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)


def main(words: list[str]) -> None:
    """Print the journeys that `words` name, or all."""
    with tempfile.TemporaryDirectory() as folder:
        journeys = play(Path(folder))
    if "--json" in words:
        print(json.dumps(journeys))
        return
    for name, steps in journeys.items():
        if words and name not in words:
            continue
        for step in steps:
            print(f"{name}, {step.told}: {len({file for file, _ in step.calls})} files")
            for file, several in groupby(step.calls, key=lambda call: call[0]):
                print(f"  {file}: {', '.join(function for _, function in several)}")


if __name__ == "__main__":
    main(sys.argv[1:])
