"""Changing grants with `server grant` beside a running server: records arrive and depart only as acknowledged."""

import json
from typing import Any

import pytest

from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests import directly
from tests.cast import JBL, QRD, rows
from tests.lines import Relay
from tests.offices import Office


def grant(office: Office, who: str, *units: str, role: str = "caseworker", at_once: bool = False) -> Any:
    """Set somebody's grants with the command, while the server serves."""
    words = [word for unit in units for word in ("--unit", unit)] + ["--at-once"] * at_once
    return office.json("hq", "server", "grant", str(office[who].letters), "--role", role, *words)


def families(office: Office, who: str, unit: str, count: int) -> set[bytes]:
    """Register families, each with a person."""
    made = set()
    for _ in range(count):
        family = save.add_record(office[who], "household", Changes(set={"family_name": "محمد"}), unit=unit)
        made |= {family, save.add_record(office[who], "person", Changes(set={"household": family.hex()}))}
    return made


def test_a_new_grant_sends_only_new_records(own_office: Office) -> None:
    """Records that Amal holds already are not sent again, and none of units outside her grants."""
    here, there, elsewhere = (
        families(own_office, *given) for given in (("amal", JBL, 5), ("basim", QRD, 7), ("samar", "LAT", 3))
    )
    own_office.sync("amal", "basim", "samar")
    assert rows(own_office["amal"]).keys() == here
    told = grant(own_office, "amal", JBL, QRD)
    assert (told["units"], told["role"], told["state"]) == ([JBL, QRD], "caseworker", "enrolled")
    (synced,) = own_office.sync("amal")
    assert (synced.down.states, synced.digest, synced.left) == (len(there), "equal", [])
    assert rows(own_office["amal"]).keys() == here | there
    own_office.equal("amal")
    assert own_office["amal"].units == [JBL, QRD]
    assert not rows(own_office["amal"]).keys() & elsewhere


@pytest.mark.parametrize("at_once", [False, True])
def test_a_withdrawn_grant_releases_only_applied_edits(own_office: Office, at_once: bool) -> None:
    """Offline, Amal keeps all records; then her edits go up and are released once applied; `--at-once` quarantines them."""
    kept = families(own_office, "samar", JBL, 3)
    own_office.sync("samar", "amal")
    relay = Relay(own_office.port)
    try:
        amal = own_office["amal"]
        own_office.meets("amal", relay.port)
        one = min(kept, key=lambda record: rows(amal)[record].n)
        save.edit_record(amal, one.hex(), Changes(set={"location": "جبلة"}))
        mine = families(own_office, "amal", JBL, 2)
        grant(own_office, "amal", QRD, at_once=at_once)
        own_office.shut("amal")
        # the answer is lost: the server has all of it, and the laptop does not know
        for size in range(600, 3_000, 200):  # somewhere behind the handshake's first bytes
            relay.swallow_after = size
            assert own_office.run("amal", "sync", "--tries", "1").returncode == 6
            assert rows(own_office["amal"]).keys() == kept | mine
            own_office.shut("amal")
            with own_office["hq"].store.read() as tx:
                if next(one.head for one in tx.devices() if one.letters == "B") == 5:
                    break
        relay.whole()
        told = own_office.json("amal", "sync")
        status = own_office.json("amal", "status")
    finally:
        relay.close()
    stays = mine | {one} if at_once else set()
    assert told["refused"] == len(status["refused"]) == (5 if at_once else 0)
    assert {(aside["code"], aside["unit"]) for aside in status["refused"]} == (
        {("unit_refused", JBL)} if at_once else set()
    )
    assert {one["record"].replace("-", "") for one in told["left"]} == {
        record.hex() for record in (kept | mine) - stays
    }
    assert (status["units"], status["unsent"]) == ([QRD], 0)
    assert rows(own_office["amal"]).keys() == stays
    there = kept if at_once else kept | mine
    assert rows(own_office["hq"]).keys() == there
    with own_office["hq"].store.read() as tx:  # nothing that she wrote is lost
        assert len([one for one in tx.commits_behind(own_office["amal"].device, 0) if one.body]) == 5
    own_office.meets("amal", own_office.port)
    # given back, all of the unit comes again
    grant(own_office, "amal", JBL)
    (synced,) = own_office.sync("amal")
    assert synced.down.states == len(there)
    assert at_once or synced.digest == "equal"
    assert rows(own_office["amal"]).keys() == there | stays
    assert directly.differing(own_office["amal"], own_office["hq"]) == []


def test_own_records_return_with_the_grant_despite_interruptions(own_office: Office) -> None:
    """A device is not sent its own commits, except for records it had released; an interruption does not change that."""
    mine = families(own_office, "amal", JBL, 60)
    own_office.sync("amal")
    grant(own_office, "amal", QRD)
    own_office.sync("amal")
    assert rows(own_office["amal"]) == {}
    grant(own_office, "amal", JBL)
    relay = Relay(own_office.port)
    try:
        own_office.meets("amal", relay.port)
        own_office.shut("amal")
        relay.cut_down = 2_500  # less than either of two connections brings: a stale nonce may cost one
        cuts = 0
        while own_office.run("amal", "sync", "--tries", "1", "--json").returncode == 6:
            cuts += 1
            relay.cut_down += 2_000
        assert cuts > 0
    finally:
        relay.close()
    assert rows(own_office["amal"]).keys() == mine
    own_office.equal("amal")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["AMAL", "--role", "caseworker", "--unit", "DAM"], "unit_refused"),
        (["AMAL", "--role", "boss", "--unit", JBL], "illegal_value"),
        (["AMAL", "--role", "caseworker", "--unit", "LAT/"], "illegal_value"),
        (["AMAL", "--role", "caseworker"], "usage"),
        (["A", "--role", "auditor", "--unit", JBL], "usage"),
        (["ZZZZ", "--role", "auditor", "--unit", JBL], "no_device"),
    ],
)
def test_invalid_grants_change_nothing(office: Office, words: list[str], code: str) -> None:
    """Only existing roles, in the server's own units, to a known device other than the server."""
    before = office.json("hq", "server", "devices")
    letters = str(office["amal"].letters)
    done = office.run("hq", "server", "grant", *[letters if word == "AMAL" else word for word in words], "--json")
    assert json.loads(done.stdout)["error"]["code"] == code
    assert office.json("hq", "server", "devices") == before
