"""Commands killed with kill -9 at any moment, over an unreliable connection: the effects of exit code 0 survive."""

import json
import random
import signal
import threading
import time
from itertools import count, cycle
from typing import Any

import pytest

from tests import kills
from tests.lines import Relay, closing
from tests.offices import Office
from tests.scale import LONG

SEEDS = range(5 if LONG else 1)
STEPS = 40 if LONG else 15
ROUNDS = 3 if LONG else 1
_MIDDLE = (kills.EARLIEST + kills.LATEST) / 2


class Worker(threading.Thread):
    """Somebody who runs one command after another; some of them are killed. `saved`: what exited with 0, by record.

    How much a command has to do is known from the last of its kind that ran to its end, so the first of each kind is not killed,
    and then every other one, early and late in turn. `hits`: in which part of its run a kill found a command running.
    """

    def __init__(self, office: Office, name: str, seed: int, families: list[str]) -> None:
        super().__init__()
        self.office, self.who, self.chance = office, name, random.Random(f"{seed} {name}")
        self.families = families
        self.saved: dict[str, list[str]] = {}
        self.hits: list[float] = []
        self.done = 0
        self.complaints: list[str] = []
        self._whole: dict[str, float] = {}
        self._shares = cycle([(kills.EARLIEST, _MIDDLE), None, (_MIDDLE, kills.LATEST), None])

    def run(self) -> None:
        """Work, until kills have fallen early and late."""
        while self.done < STEPS or (self.done < 4 * STEPS and not spread(self.hits)):
            value = f"{self.who} {self.done}"
            what = self.chance.random()
            if what < 0.35:
                self.command("sync", "--tries", "1")
            elif what < 0.55:
                told = self.command("add", "household", "--set", "family_name=محمد", "--set", f"location={value}")
                self.keep(told, value)
            else:
                told = self.command("edit", self.chance.choice(self.families), "--set", f"location={value}")
                self.keep(told, value)
            self.done += 1

    def keep(self, told: Any, value: str) -> None:
        """Remember what was acknowledged."""
        if told is not None:
            self.saved.setdefault(told["id"], []).append(value)

    def command(self, *words: str) -> Any:
        """Run a command, or kill it at some moment; return what it told if it exited with 0."""
        process = self.office.begin(self.who, *words, "--json")
        kind = words[0]
        between = next(self._shares) if kind in self._whole else None
        if between is None:
            over: float | None = kills.spend(process)
        else:
            share = self.chance.uniform(*between)
            over = kills.kill(process, share * self._whole[kind])
        if over is None:
            self.hits.append(share)
        else:
            self._whole[kind] = over
        said = process.end(60)
        if said.returncode not in {0, 6, -signal.SIGKILL} or "Traceback" in said.stderr:
            self.complaints.append(f"{words} {said}")
        return json.loads(said.stdout) if said.returncode == 0 else None


def spread(hits: list[float]) -> bool:
    """Say whether kills fell early and late."""
    return bool(hits) and min(hits) < _MIDDLE < max(hits)


def another(workers: list[Worker]) -> bool:
    """Wait until somebody has done another command; say whether anybody is still at work."""
    before = sum(worker.done for worker in workers)
    while any(worker.is_alive() for worker in workers):
        if sum(worker.done for worker in workers) > before:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("seed", SEEDS)
def test_effects_of_exit_code_0_survive_kills(office: Office, seed: int) -> None:
    """Two laptops add, edit and sync; commands and the server are killed, connections cut: no acknowledged work is lost."""
    chance = random.Random(seed)
    office.register("amal", 3)
    office.sync("amal", "basim")
    families = [one["id"] for one in office.json("amal", "list", "household")]
    acknowledged: dict[str, list[str]] = {}
    with closing(Relay(office.port)) as line:
        for name in ("amal", "basim"):
            office.meets(name, line.port)
            office.shut(name)
        for round_ in range(ROUNDS):
            workers = [Worker(office, name, seed * 100 + round_, families) for name in ("amal", "basim")]
            for worker in workers:
                worker.start()
            for turn in count():
                line.cut_up, line.cut_down = chance.choice(
                    [(None, None), (chance.randrange(3_000), None), (None, chance.randrange(4_000))]
                )
                if turn % 5 == 3:
                    office.server.kill()
                    office.server.start()
                if not another(workers):
                    break
            for worker in workers:
                assert worker.complaints == [], seed
                assert spread(worker.hits), seed
                for record, values in worker.saved.items():
                    acknowledged.setdefault(record, []).extend(values)
            assert turn > 3, "the server was killed, too"
        line.whole()
        for name in ("amal", "basim", "samar", "amal", "basim"):
            assert office.json(name, "sync")["digest"] == "equal", seed
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
