"""The client on docs/formats/client.md speaks to a real server, with nothing of this program in it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fieldsync.protocol import sync_once
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.review import decisions
from fieldsync.server import administration
from tests.cast import JBL, rows
from tests.conftest import Served
from tests.wire import expected, frozen
from tests.wire.test_columns import exact

PAGE = Path(__file__).parents[2] / "docs/formats/client.md"
FAMILY = Changes(set={"family_name": "محمد أحمد", "location": "جبلة"})


@pytest.fixture(scope="module")
def own() -> dict[str, Any]:
    """Return what the page's code defines."""
    code = "\n\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    assert "fieldsync." not in code
    assert "import fieldsync" not in code
    made: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), made)  # noqa: S102 - the page's own code
    return made


def joined(own: dict[str, Any], people: Served, person: str = "Rana", role: str = "caseworker") -> Any:
    """Return a client that has joined."""
    client = own["Client"](administration.make_invite(people.hq, person, role, [JBL]).invite)
    client.join()
    return client


def household(own: dict[str, Any], client: Any, number: int, **fields: Any) -> bytes:
    """Have a client make a household, as the page does."""
    record: bytes = own["uuid7"](1_793_607_300_000 + number)
    made = {
        "_code": own["code"](f"JBL-{client.letters}", number),
        "_unit": JBL, "family_name": "أحمد", "location": "جبلة", "state": "draft",
    }  # fmt: skip
    form = int(re.findall(rb"^version = (\d+)", client.forms["household.toml"], re.MULTILINE)[0])
    own["save"](client, "household", form, record, made | fields)
    return record


def test_it_joins_and_its_commit_is_applied(own: dict[str, Any], served: Served) -> None:
    """Join, one commit, ACK, END: the digests are equal, and a laptop reads what it wrote."""
    client = joined(own, served)
    assert (client.person, client.grants) == ("Rana", [[JBL, "caseworker"]])
    record = household(own, client, 1)
    assert own["sync"](client) == ([], [])
    assert client.acked == 1
    sync_once.sync_once(served.amal)
    shown = queries.show(served.amal, record.hex())
    assert (shown.fields["family_name"], shown.code) == ("أحمد", own["code"](f"JBL-{client.letters}", 1))
    assert own["sync"](client) == ([], [])


def test_it_reads_others_writes_and_conflicts(own: dict[str, Any], served: Served) -> None:
    """Hundreds of families, a conflict, a decision, sets, a removal: after each sync its digests equal the server's."""
    client = joined(own, served)
    numbered = [
        Changes(
            set={"family_name": "محمد " + "أب" * (n % 9 + 1), "location": f"حيّ {n % 7}", "size_stated": n % 40 + 1},
            put={"groups": ["older", "orphan"][: n % 3]},
        )
        for n in range(120)
    ]
    for changes in numbered:
        save.add_record(served.amal, "household", changes)
    family = save.add_record(served.amal, "household", FAMILY, unit=JBL).hex()
    for n in range(40):
        born = {"birth_date": f"19{n + 40}-03-12", "birth_precision": "day"}
        child = {"household": family, "given": "سمير", "sex": "fm"[n % 2], "alive": "alive", **born}
        save.add_record(served.amal, "person", Changes(set=child))
    for node in (served.amal, served.basim):
        sync_once.sync_once(node)
    assert own["sync"](client) == ([], [])
    assert len(client.records) == 161
    grouped = next(row for row in rows(served.basim).values() if len(row.doc.get("groups", ())) == 2)
    save.edit_record(served.basim, grouped.state.record.hex(), Changes(drop={"groups": ["older"]}))
    save.edit_record(served.amal, family, Changes(set={"location": "اللاذقية"}))
    save.edit_record(served.basim, family, Changes(set={"location": "طرطوس"}))
    for node in (served.amal, served.basim, served.samar):
        sync_once.sync_once(node)
    assert own["sync"](client) == ([], [])
    heads, _ = client.records[bytes.fromhex(family)]["registers"]["location"]
    assert {device for device, _ in heads} == {served.amal.device, served.basim.device}
    assert len(heads) == 2
    assert "groups/older" in client.records[grouped.state.record]["registers"]
    (item,) = decisions.list_conflicts(served.samar)
    decisions.decide_conflict(served.samar, family, "location", head=item.heads[0].name, note="زيارة")
    save.remove_record(served.samar, next(one.hex() for one in rows(served.samar) if one.hex() != family), "moved")
    sync_once.sync_once(served.samar)
    assert own["sync"](client) == ([], [])
    assert len(client.records[bytes.fromhex(family)]["registers"]["location"][0]) == 1


@pytest.mark.parametrize("name", frozen.VALUES)
def test_it_reads_the_frozen_columns(own: dict[str, Any], name: str) -> None:
    """Every encoding, its values and their types."""
    values = frozen.VALUES[name]
    assert exact(own["column"](expected.content(f"column-{name}"), len(values))) == exact(values)


@pytest.mark.parametrize("name", ["states-payload", "states-contexts"])
def test_it_reads_the_frozen_states(own: dict[str, Any], name: str) -> None:
    """The dots of all heads, what they had seen, and so the terms."""
    told = json.loads(expected.FILE.read_text("utf-8"))[name]
    found = list(own["read_states"](expected.content(name)))
    assert [record.hex() for record, *_ in found] == [one["record"] for one in told]
    for (record, base, registers), one in zip(found, told, strict=True):
        assert own["term"](record, base, registers).to_bytes(8, "big").hex() == one["term"]
        assert {name: sorted(seen.items()) for name, (_, seen) in registers.items()} == {
            name: [(bytes.fromhex(device["bytes"]), seq) for device, seq in register["seen"]]
            for name, register in one["registers"].items()
        }


def test_its_edits_cover_the_seen_values(own: dict[str, Any], served: Served) -> None:
    """It writes over a laptop's value, after which its value alone remains everywhere."""
    family = save.add_record(served.amal, "household", FAMILY, unit=JBL)
    sync_once.sync_once(served.amal)
    client = joined(own, served)
    own["sync"](client)
    own["save"](client, "household", 1, family, {"location": "بانياس"})
    assert own["sync"](client) == ([], [])
    sync_once.sync_once(served.amal)
    assert queries.show(served.amal, family.hex()).fields["location"] == "بانياس"
    assert decisions.list_conflicts(served.amal) == []


def test_its_illegal_values_are_quarantined(own: dict[str, Any], served: Served) -> None:
    """A float in a field of whole numbers is reported in ACK, kept out of the digests, and the next commit is accepted."""
    client = joined(own, served)
    household(own, client, 1, size_stated=4.0)
    refused, differing = own["sync"](client)
    assert [(seq, code) for seq, code, _ in refused] == [(1, "illegal_value")]
    assert differing == []
    household(own, client, 2)
    refused, differing = own["sync"](client)
    assert (client.acked, [seq for seq, *_ in refused if seq > 1], differing) == (2, [], [])


def asked(
    own: dict[str, Any], client: Any, *, path: str = "/v2/sync", protocol: int = 2, spoiled: str = ""
) -> tuple[int, str, bool]:
    """Send a signed request, some of it spoiled; return status, code, and whether a nonce was handed out."""
    hello = own["frame"](1, [protocol, b"", 0, 0, own["sha"](own["pack"](client.grants))[:4]])
    device = bytes(16) if spoiled == "device" else client.device
    signed = b"fieldsync request 2" + own["lengths"](
        client.server, b"POST", path.encode(), b"", client.nonce, own["sha"](hello), bytes(32)
    )
    proof = b"\0" * 64 if spoiled == "signature" else client.key.sign(signed)
    header = ".".join(map(own["base64url"], (device, client.nonce, proof)))
    body = b"\x63" + hello[1:] if spoiled == "frame" else hello + own["frame"](99, []) if spoiled == "more" else hello
    status, data, nonce = own["post"](client.address, client.pin, path, body, {"Authorization": f"FS {header}"})
    if nonce is not None:
        client.nonce = nonce
    return status, own["json"].loads(data)["error"]["code"] if status != 200 else "", nonce is not None


def test_refusals_with_a_nonce(own: dict[str, Any], served: Served) -> None:
    """As in errors.md: all after a valid nonce, and the refusal of a stale one."""
    client = joined(own, served)
    assert asked(own, client) == (200, "", True)
    assert asked(own, client, spoiled="signature") == (401, "bad_signature", False)
    assert asked(own, client, spoiled="device") == (401, "unknown_device", False)
    assert asked(own, client, spoiled="frame")[1:] == ("bad_frame", False)
    assert asked(own, client, protocol=1) == (400, "bad_frame", True)
    assert asked(own, client, spoiled="more") == (400, "bad_frame", True)
    client.nonce = bytes(16)
    assert asked(own, client) == (401, "stale_nonce", True)
    assert asked(own, client) == (200, "", True)


def test_a_lost_nonce_costs_one_more_try(own: dict[str, Any], served: Served) -> None:
    """Any 16 bytes are answered with a fresh one."""
    client = joined(own, served)
    client.nonce = bytes(16)
    household(own, client, 1)
    assert own["sync"](client) == ([], [])
