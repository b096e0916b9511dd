"""What scripts rely on: JSON shapes, exit codes, options before and after, errors as JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import World

RECORD = {"id", "code", "type", "unit", "fields", "conflicts", "deleted", "unsent", "created", "updated"}
REVIEW = {"record", "code", "type", "unit", "field", "base", "heads", "since", "title"}
HEAD = {"value", "by", "device", "seq", "at"}
HISTORY = {"at", "by", "device", "seq", "changes", "note", "lost", "receipt"}
SYNC = {"server", "up", "down", "requests", "new_conflicts", "digest", "seconds"}
STATUS = {"device", "person", "role", "units", "records", "unsent", "conflicts", "last_sync", "receipts", "health"}


def test_every_shape_of_the_contract(world: World) -> None:
    """One conflict and its decision, by --json alone."""
    made = world.add("amal", "household", family_name="محمد أحمد", location="جبلة")
    assert made.keys() >= RECORD
    assert made["fields"] == {"state": "draft", "family_name": "محمد أحمد", "location": "جبلة"}
    assert (made["unit"], made["unsent"], made["conflicts"], made["created"]["by"]) == ("LAT/JBL", True, [], "Amal")
    world.start()
    told = world.json("amal", "sync")
    assert told.keys() >= SYNC
    assert (told["up"]["commits"], told["digest"], told["server"]) == (1, "equal", "Office")
    world.json("basim", "sync")
    code = made["code"]
    world.json("amal", "edit", code, "--set", "location=اللاذقية")
    world.json("basim", "edit", code, "--set", "location=طرطوس", "--note", "زيارة")
    for who in ("amal", "basim", "amal", "samar"):
        world.json(who, "sync")
    shown = world.json("amal", "show", code, "--all-heads")
    assert shown["conflicts"] == ["location"]
    assert {head["value"] for head in shown["registers"]["location"]} == {"اللاذقية", "طرطوس"}
    [item] = world.json("samar", "review", "list")
    assert item.keys() == REVIEW
    assert item["base"] == "جبلة"
    assert all(head.keys() == HEAD for head in item["heads"])
    assert world.json("samar", "review", "show", code) == [item]
    head = next(head for head in item["heads"] if head["value"] == "طرطوس")
    named = f"{head['device']}:{head['seq']}"
    assert (
        world.json("samar", "review", "take", code, "location", "--head", "C:99", code=5)["error"]["code"] == "no_head"
    )
    decided = world.json("samar", "review", "take", code, "location", "--head", named)
    assert (decided["fields"]["location"], decided["conflicts"]) == ("طرطوس", [])
    for who in ("samar", "amal"):
        world.json(who, "sync")
    assert world.json("amal", "show", code)["fields"]["location"] == "طرطوس"
    history = world.json("hq", "history", made["id"])
    assert all(entry.keys() - {"decided"} == HISTORY for entry in history)
    assert [one["field"] for entry in history for one in entry.get("decided", ())] == ["location"]
    assert [entry["by"] for entry in history] == ["Amal", "Amal", "Basim", "Samar"]
    assert history[2]["changes"] == {"location": {"old": "جبلة", "new": "طرطوس"}}
    assert (history[1]["lost"], history[2]["note"]) == (True, "زيارة")
    status = world.json("amal", "status")
    assert status.keys() >= STATUS
    assert (status["records"], status["unsent"], status["role"]) == ({"household": 1}, 0, "caseworker")
    assert world.stop() == 0


def test_global_options_work_before_and_after_the_command(world: World) -> None:
    """--json, --home and --lang, also as --name=value."""
    home = str(world.folder / "amal")
    for words in (
        ["--json", "--lang", "ar", "--home", home, "list", "nothing"],
        ["list", "nothing", "--json", "--lang=ar", f"--home={home}"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "fieldsync", *words],
            env=world.environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        error = json.loads(done.stdout)["error"]
        assert (done.returncode, error["code"], done.stderr) == (3, "unknown_type", "")
        assert "نوع" in error["message"]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("nonsense",), 2, "usage"),
        (("show",), 2, "usage"),
        (("show", ""), 5, "no_record"),
        (("add", "household", "--set", "family_name=12"), 3, "illegal_value"),
        (("add", "household", "--set", "family_name=علي", "--unit", "DAM"), 7, "unit_refused"),
        (("sync",), 6, "unreachable"),
        (("review", "take", "", "location", "--value", "x"), 5, "no_record"),
    ],
)
def test_errors_are_json_too(world: World, words: tuple[str, ...], code: int, error: str) -> None:
    """With --json an error is one document on standard output, with code, message and hint, and nothing on standard error."""
    said = world.here("amal", *words, "--json")
    told = json.loads(said.out)["error"]
    assert (said.code, told["code"], said.err) == (code, error, "")
    assert told["message"]
    assert "hint" in told


def test_a_wrong_or_missing_passphrase_is_exit_4(world: World) -> None:
    """Also where nobody can be asked."""
    nothing = {"FIELDSYNC_KEY_FILE": ""}
    assert world.json("amal", "status", code=4, **nothing)["error"]["code"] == "no_secret"
    wrong = {**nothing, "FIELDSYNC_PASSPHRASE": "wrong"}
    assert world.json("amal", "status", code=4, **wrong)["error"]["code"] == "wrong_passphrase"


def test_a_changed_passphrase_replaces_the_old_one(world: World, tmp_path: Path) -> None:
    """Set up with a passphrase and a key file: both open; a changed passphrase opens alone, as does the recovery key."""
    (tmp_path / "first").write_text("كلمة أولى هنا\n", encoding="utf-8")
    (tmp_path / "second").write_text("كلمة ثانية\n", encoding="utf-8")
    office = ["server", "init", "--org", "x", "--unit", "LAT", "--address", "https://localhost:1"]
    made = world.json("new", *office, "--passphrase-file", str(tmp_path / "first"))
    nothing = {"FIELDSYNC_KEY_FILE": ""}
    assert world.json("new", "status", "--passphrase-file", str(tmp_path / "first"), **nothing)["kind"] == "server"
    changed = world.json("new", "passphrase", "--new-passphrase-file", str(tmp_path / "second"))
    assert sorted(changed["slots"]) == ["keyfile", "passphrase", "recovery"]
    assert world.json("new", "status", "--passphrase-file", str(tmp_path / "first"), code=4, **nothing)["error"]
    assert world.json("new", "status", FIELDSYNC_PASSPHRASE="كلمة ثانية", **nothing)["kind"] == "server"
    assert world.json("new", "status", FIELDSYNC_PASSPHRASE=made["recovery"].lower(), **nothing)["kind"] == "server"


def test_a_short_key_file_does_not_use_up_an_invite(world: World, tmp_path: Path) -> None:
    """It is refused before the server is asked."""
    invite = world.invite("Karim", "caseworker", "LAT/JBL")
    (tmp_path / "short").write_bytes(b"short")
    world.start()
    refused = world.json("karim", "join", invite, code=3, FIELDSYNC_KEY_FILE=str(tmp_path / "short"))
    assert refused["error"]["code"] == "bad_input"
    assert not (world.folder / "karim").exists()
    assert world.json("karim", "join", invite)["person"] == "Karim"
    assert world.json("other", "join", invite, code=7)["error"]["facts"]["reason"] == "used"


def test_a_revoked_device_and_a_wrong_server_are_refused(world: World) -> None:
    """A revoked device is informed; a server with another certificate gets nothing."""
    world.start()
    world.json("hq", "server", "revoke", "C")
    world.add("basim", "household", family_name="علي")
    assert world.json("basim", "sync", code=7)["error"]["code"] == "revoked"
    assert world.json("basim", "status")["unsent"] == 1
    world.stop()
    address = f"https://{world.listen}"
    world.json("hq2", "server", "init", "--org", "Other", "--unit", "LAT", "--address", address)
    (world.folder / "hq").rename(world.folder / "hq1")
    (world.folder / "hq2").rename(world.folder / "hq")
    world.start()
    assert world.json("amal", "sync", code=8)["error"]["code"] == "wrong_server"


def test_a_damaged_store_is_exit_8(world: World) -> None:
    """A flipped bit is found; truncated slots are reported as damage."""
    path = world.folder / "amal" / "store.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for rest in ("store.db-wal", "store.db-shm"):
        path.with_name(rest).unlink(missing_ok=True)
    assert world.here("amal", "check", "--json").code == 8
    path.with_name("slots.json").write_text("{}")
    assert "store_damaged" in world.here("amal", "status", "--json").out


def test_a_closed_pipe_is_not_an_error(world: World) -> None:
    """And nothing is printed about it."""
    world.add("amal", "household", family_name="علي")
    command = world.command("amal", "list", "household", "--json")
    process = subprocess.Popen(command, env=world.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(30), said) == (0, b"")


def test_an_internal_fault_is_one_line(world: World) -> None:
    """No traceback, no path, no value; FIELDSYNC_DEBUG shows them."""
    world.add("amal", "household", family_name="علي")
    (world.folder / "amal" / "store.db").unlink()
    (world.folder / "amal" / "store.db").mkdir()
    said = world.run("amal", "status")
    assert said.code in (1, 8)
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) <= 2


def test_show_imports_nothing_heavy(world: World) -> None:
    """No network, server, table or migration modules."""
    code = world.add("amal", "household", family_name="علي")["code"]
    command = [sys.executable, "-X", "importtime", *world.command("amal", "--json", "show", code)[1:]]
    done = subprocess.run(command, env=world.environment, capture_output=True, text=True, encoding="utf-8", check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    heavy = {
        "requests",
        "urllib3",
        "ssl",
        "starlette",
        "uvicorn",
        "asyncio",
        "rich",
        "sqlite_utils",
        "pydantic",
        "zstandard",
        "csv",
    }
    assert not heavy & loaded
    assert "fieldsync.replica.queries" in loaded


def test_fields_are_read_from_a_file_or_standard_input(world: World) -> None:
    """--from takes an object of fields; --set has precedence; null removes a value."""
    given = json.dumps(
        {"family_name": "علي", "phones": ["0944123456"], "groups": "orphan،homeless", "size_stated": "٥"}
    )
    made = world.json("amal", "add", "household", "--from", "-", "--set", "family_name=حسن", stdin=given)
    assert made["fields"]["family_name"] == "حسن"
    assert made["fields"]["groups"] == ["homeless", "orphan"]
    assert made["fields"]["size_stated"] == 5
    edited = world.json(
        "amal", "edit", made["code"], "--from", "-", stdin='{"size_stated": null, "groups": ["orphan"]}'
    )
    assert "size_stated" not in edited["fields"]
    assert edited["fields"]["groups"] == ["orphan"]
    assert world.json("amal", "add", "household", "--from", "-", code=3, stdin="[1]")["error"]["code"] == "bad_file"


def test_sets_tallies_logs_and_references_on_the_command_line(world: World) -> None:
    """--put and --drop, --count, --say; a reference goes by code."""
    home = world.add("amal", "household", family_name="علي", groups="orphan")
    edited = world.json("amal", "edit", home["code"], "--put", "groups=homeless", "--drop", "groups=orphan")
    assert edited["fields"]["groups"] == ["homeless"]
    person = world.add("amal", "person", household=home["code"], given="أمل")
    assert person["fields"]["household"] == home["id"]
    case = world.add("amal", "case", person=person["code"], case_type="child")
    counted = world.json("amal", "edit", case["code"], "--count", "reopen_count=+2")
    assert counted["fields"]["reopen_count"] == 2
    found = world.json("amal", "list", "household", "--where", "groups=homeless", "--where", "unit=LAT")
    assert [one["code"] for one in found] == [home["code"]]
