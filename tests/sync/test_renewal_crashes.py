"""A copy that becomes a device, killed with kill -9 on the way: the next sync finishes, and nothing is lost or doubled."""

import random
import shutil
import signal
import subprocess

from fieldsync.sync import save
from fieldsync.sync.save import Changes
from tests.cast import JBL
from tests.offices import Office
from tests.scale import LONG

KILLS = 40 if LONG else 5


def test_killed_while_it_becomes_another_device(own_office: Office) -> None:
    """The clone's `sync` is killed again and again, sooner and later; in the end both hold everything, once."""
    office, chance = own_office, random.Random(12)
    office.register("amal", 3)
    case = save.add(office["amal"], "case", Changes(count={"reopen_count": 1}), unit=JBL).hex()
    office.sync("amal")
    office.shut("amal")
    shutil.copytree(office.home / "amal", office.home / "clone")
    for name, count in (("amal", 10), ("clone", 100)):
        for _ in range(2):
            save.add(office[name], "household", Changes(set={"family_name": name}))
        save.edit(office[name], case, Changes(count={"reopen_count": count}))
    office.sync("amal")
    before = office["clone"].device
    office.shut("clone")
    office.shut("amal")
    killed = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            office.command("clone", "sync"),
            env=office.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(chance.uniform(0.2, 0.7))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait(30)
    assert killed
    for name in ("clone", "amal", "clone"):
        office.json(name, "sync")
    office.equal("amal", "clone")
    assert len({before, office["amal"].device, office["clone"].device}) == 3
    assert office.json("hq", "show", case)["fields"]["reopen_count"] == 111
    assert len(office.json("hq", "list", "household", "--limit", "0")) == 3 + 2 + 2
    for name in ("amal", "clone", "hq"):
        office.shut(name)
        assert office.json(name, "check")["ok"]
