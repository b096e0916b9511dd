"""The slots file: each secret opens the store's key, and nothing else does."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.crypto import slots
from fieldsync.crypto.slots import Slots

KEY = bytes(range(32))
STORE = bytes(range(16))
CHEAP = {"memory": 64 * 1024}
SECRET = b"k" * 32
FROZEN = (Path(__file__).parent / "slots-1.json").read_bytes()


def resealed(change) -> Slots:
    """Return the frozen slots after a change by somebody who knows how the checksum is made."""
    file = json.loads(FROZEN)
    change(file)
    file["checksum"] = ""
    compact = json.dumps(file, separators=(",", ":")).encode()
    file["checksum"] = hashlib.sha256(compact).hexdigest()
    return Slots.from_bytes(json.dumps(file, indent=1).encode() + b"\n")


def test_a_file_of_the_first_version_opens():
    """A frozen file opens with each of its three secrets, and is written the same."""
    frozen = Slots.from_bytes(FROZEN)
    assert frozen.kinds == ["passphrase", "keyfile", "recovery"]
    assert frozen.store == STORE
    assert frozen.open_passphrase("سرّ 1") == KEY
    assert frozen.open_keyfile(SECRET) == KEY
    assert frozen.open_recovery("AUCQ-KBIF-AUCQ-KBIF-AUCQ-KBIF-AUCQ-KBIF") == KEY
    assert frozen.to_bytes() == FROZEN


def test_a_passphrase_opens_its_own_slot_only():
    """Amal's passphrase opens the store, however a keyboard composes it; a wrong one not."""
    mine = Slots.create(STORE)
    mine.add_passphrase(KEY, "أمل caf\u00e9", **CHEAP)
    again = Slots.from_bytes(mine.to_bytes())
    assert again.open_passphrase("ا\u0654مل cafe\u0301") == KEY
    for wrong in ("أمل", "أمل cafe", ""):
        with pytest.raises(errors.WrongPassphrase):
            again.open_passphrase(wrong)
    with pytest.raises(errors.WrongPassphrase):
        again.open_keyfile(SECRET)


def test_changing_the_passphrase_invalidates_only_the_old_one():
    """The new passphrase and the recovery key open it, the old one does not."""
    mine = Slots.create(STORE)
    mine.add_passphrase(KEY, "old", **CHEAP)
    recovery = mine.make_recovery(KEY)
    mine.replace_passphrase(KEY, "new", **CHEAP)
    assert mine.open_passphrase("new") == KEY
    assert mine.open_recovery(recovery) == KEY
    with pytest.raises(errors.WrongPassphrase):
        mine.open_passphrase("old")


def test_a_failed_change_leaves_the_old_passphrase():
    """An empty new passphrase is refused and the old one still opens."""
    mine = Slots.create(STORE)
    mine.add_passphrase(KEY, "old", **CHEAP)
    with pytest.raises(errors.NoSecret):
        mine.replace_passphrase(KEY, "", **CHEAP)
    assert mine.open_passphrase("old") == KEY


def test_a_recovery_key_tolerates_copying_errors():
    """Lower case, spaces, and digits mistaken for letters still open; a new key invalidates the old."""
    mine = Slots.create(STORE)
    text = mine.make_recovery(KEY)
    assert len(text.replace("-", "")) * 5 == 160
    scrawled = text.lower().replace("-", " ").replace("o", "0").replace("i", "1").replace("b", "8")
    assert mine.open_recovery(f" {scrawled}\n") == KEY
    mine.make_recovery(KEY)
    with pytest.raises(errors.WrongPassphrase):
        mine.open_recovery(text)


@given(st.text(max_size=50))
def test_any_text_as_recovery_key_is_refused(text: str):
    """Any typed text gives the answer that it does not open."""
    with pytest.raises(errors.WrongPassphrase):
        Slots.from_bytes(FROZEN).open_recovery(text)


def test_a_short_key_file_is_refused():
    """A key file is not stretched, so fewer than 32 bytes are refused."""
    with pytest.raises(errors.BadInput):
        Slots.create(STORE).add_keyfile(KEY, b"k" * 31)


@given(st.integers(0, len(FROZEN) - 1), st.integers(1, 255))
def test_a_changed_byte_is_reported_as_damage(at: int, flip: int):
    """Any one changed byte is reported as damage (or a later version), before any passphrase is tried."""
    worn = FROZEN[:at] + bytes([FROZEN[at] ^ flip]) + FROZEN[at + 1 :]
    with pytest.raises((errors.StoreDamaged, errors.BadVersion)):
        Slots.from_bytes(worn)


@given(st.integers(0, len(FROZEN) - 1) | st.just(0))
def test_a_truncated_file_is_reported_as_damage(size: int):
    """At any byte."""
    with pytest.raises(errors.StoreDamaged):
        Slots.from_bytes(FROZEN[:size])


@pytest.mark.parametrize("data", [b"null", b"[]", b"{}", b"[" * 10_000, b"\xff", FROZEN * 100, b'{"version":0}'])
def test_hostile_files_are_reported_as_damage(data: bytes):
    """Other documents, deep nesting and huge files."""
    with pytest.raises(errors.StoreDamaged):
        Slots.from_bytes(data)


def test_a_later_version_is_not_reported_as_damage():
    """A file of a later program is reported as such."""
    with pytest.raises(errors.BadVersion) as raised:
        Slots.from_bytes(b'{"version": 2, "more": []}')
    assert raised.value.facts == {"what": "slots", "theirs": 2, "ours": 1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory", 1024),
        ("memory", 2**40),
        ("iterations", 1),
        ("iterations", 10**6),
        ("lanes", 0),
        ("lanes", 64),
    ],
)
def test_a_slot_out_of_policy_is_refused_before_it_costs_anything(name: str, value: int, monkeypatch):
    """Neither a weakened nor a ruinous slot is derived, and the other slots still open."""
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.kdf.argon2", None)
    mine = resealed(lambda file: file["slots"][0].__setitem__(name, value))
    with pytest.raises(errors.SlotPolicy):
        mine.open_passphrase("سرّ 1")
    assert mine.open_keyfile(SECRET) == KEY
    with pytest.raises(errors.SlotPolicy):
        Slots.create(STORE).add_passphrase(KEY, "x", **{name: value})


def swapped_kind(file: dict) -> None:
    """Pass the recovery slot off as a key file's."""
    file["slots"][2]["kind"] = "keyfile"


def other_store(file: dict) -> None:
    """Put the slots beside another store."""
    file["store"] = "ff" * 16


@pytest.mark.parametrize("change", [swapped_kind, other_store])
def test_a_slot_is_bound_to_its_kind_and_store(change):
    """Slots moved to another kind or store open nothing, even with a valid checksum."""
    mine = resealed(change)
    secret = b"\x05" * 20 if change is swapped_kind else SECRET
    with pytest.raises(errors.WrongPassphrase):
        mine.open_keyfile(secret)


def test_the_number_of_slots_is_limited():
    """A file cannot be filled with slots that each cost a derivation."""
    mine = Slots.create(STORE)
    for _ in range(16):
        mine.add_keyfile(KEY, SECRET)
    with pytest.raises(errors.TooLarge):
        mine.add_keyfile(KEY, SECRET)


def test_argon2_is_loaded_only_for_a_passphrase():
    """Commands that have a key already do not import Argon2."""
    code = "import sys, fieldsync.crypto.slots as s; print(any('argon2' in m for m in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_the_policy_is_that_of_the_format():
    """A slot that one program makes is opened by all others, and a later release does not make weaker ones."""
    mebi = 1024
    assert (slots.MEMORY[0], slots.MEMORY[-1]) == (64 * mebi, 1024 * mebi)
    assert (slots.ITERATIONS[0], slots.ITERATIONS[-1]) == (3, 20)
    assert (slots.LANES[0], slots.LANES[-1]) == (1, 8)
    assert (slots.DEFAULT_MEMORY, slots.DEFAULT_ITERATIONS, slots.DEFAULT_LANES) == (256 * mebi, 3, 1)


def test_defaults_are_within_policy():
    """A new store's parameters are accepted by any store."""
    assert slots.DEFAULT_MEMORY in slots.MEMORY
    assert slots.DEFAULT_ITERATIONS in slots.ITERATIONS
    assert slots.DEFAULT_LANES in slots.LANES
