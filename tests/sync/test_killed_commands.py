"""The commands as people run them, killed with kill -9 wherever they are, over a line that breaks: what exited with 0 is there."""

import json
import random
import signal
import subprocess
import threading
import time
from typing import Any

import pytest

from tests.lines import Relay, closing
from tests.offices import Office
from tests.scale import LONG

SEEDS = range(5 if LONG else 1)
STEPS = 20 if LONG else 9
ROUNDS = 3 if LONG else 1


class Worker(threading.Thread):
    """Somebody who runs one command after another; some of them are killed. `saved`: what exited with 0, by record."""

    def __init__(self, office: Office, name: str, seed: int, families: list[str]) -> None:
        super().__init__()
        self.office, self.who, self.chance = office, name, random.Random(f"{seed} {name}")
        self.families = families
        self.saved: dict[str, list[str]] = {}
        self.killed = 0
        self.complaints: list[str] = []

    def run(self) -> None:
        """Work."""
        for step in range(STEPS):
            value = f"{self.who} {step}"
            what = self.chance.random()
            if what < 0.35:
                self.command("sync", "--tries", "1")
            elif what < 0.55:
                told = self.command("add", "household", "--set", "family_name=محمد", "--set", f"location={value}")
                self.keep(told, value)
            else:
                told = self.command("edit", self.chance.choice(self.families), "--set", f"location={value}")
                self.keep(told, value)

    def keep(self, told: Any, value: str) -> None:
        """Remember what was acknowledged."""
        if told is not None:
            self.saved.setdefault(told["id"], []).append(value)

    def command(self, *words: str) -> Any:
        """Run a command, and kill half of them at some moment; return what it told if it exited with 0."""
        process = subprocess.Popen(
            [*self.office.command(self.who, *words), "--json"], env=self.office.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip
        if self.chance.random() < 0.5:
            try:
                process.wait(self.chance.uniform(0.1, 0.9))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                self.killed += 1
        out, complaints = process.communicate(timeout=60)
        if process.returncode not in {0, 6, -signal.SIGKILL} or "Traceback" in complaints:
            self.complaints.append(f"{words} {process.returncode} {out} {complaints}")
        return json.loads(out) if process.returncode == 0 else None


@pytest.mark.parametrize("seed", SEEDS)
def test_what_exited_with_0_survives_everything(office: Office, seed: int) -> None:
    """Two laptops add, edit and sync; commands and the server are killed, the line is cut: nothing acknowledged is lost, all equal."""
    chance = random.Random(seed)
    office.register("amal", 3)
    office.sync("amal", "basim")
    families = [one["id"] for one in office.json("amal", "list", "household")]
    acknowledged: dict[str, list[str]] = {}
    killed = 0
    with closing(Relay(office.port)) as line:
        for name in ("amal", "basim"):
            office.meets(name, line.port)
            office.shut(name)
        for round_ in range(ROUNDS):
            workers = [Worker(office, name, seed * 100 + round_, families) for name in ("amal", "basim")]
            for worker in workers:
                worker.start()
            while any(worker.is_alive() for worker in workers):
                line.cut_up, line.cut_down = chance.choice(
                    [(None, None), (chance.randrange(3_000), None), (None, chance.randrange(4_000))]
                )
                time.sleep(chance.uniform(0.2, 0.8))
                if chance.random() < 0.2:
                    office.server.kill()
                    office.server.start()
            for worker in workers:
                assert worker.complaints == [], seed
                killed += worker.killed
                for record, values in worker.saved.items():
                    acknowledged.setdefault(record, []).extend(values)
        line.whole()
        for name in ("amal", "basim", "samar", "amal", "basim"):
            assert office.json(name, "sync")["digest"] == "equal", seed
    assert killed > 0
    assert acknowledged
    for record, values in acknowledged.items():
        written = {
            change["new"] for entry in office.json("hq", "history", record) for change in entry["changes"].values()
        }
        assert set(values) <= written, seed
        assert office.json("samar", "show", record)["id"] == record
    told = [office.json(name, "status")["channels"] for name in ("hq", "amal", "basim", "samar")]
    assert all(one == told[0] for one in told), seed
    for name in ("hq", "amal", "basim", "samar"):
        office.shut(name)
        assert office.json(name, "check")["ok"], seed
