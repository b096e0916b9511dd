"""Other programs on the computer: no passphrase in a long-running environment, no core dump, no readable store file."""

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync.crypto.slots import Slots
from fieldsync.demo.story_runner import free_port
from fieldsync.replica import node as nodes
from fieldsync.schema import load
from fieldsync.server import administration
from fieldsync.topology import backups
from tests.cast import ROOT, SECRET, fill, found_office, open_node
from tests.conftest import Cast
from tests.offices import Office

PASSPHRASE = "correct horse battery staple, and some"


@pytest.fixture
def loose() -> Iterator[None]:
    """A computer on which new files are everybody's."""
    before = os.umask(0)
    yield
    os.umask(before)


def readable(folder: Path) -> list[str]:
    """Return what of a folder somebody else may read, the folder among it."""
    return sorted(one.name for one in [folder, *folder.rglob("*")] if one.stat().st_mode & 0o077)


def hidden(process: int) -> None:
    """Prove that nothing that the system tells of a process has the passphrase, and that it dumps no core."""
    about = Path("/proc") / str(process)
    for name in ("environ", "cmdline"):
        assert PASSPHRASE.encode() not in (about / name).read_bytes()
    limit = next(line for line in (about / "limits").read_text().splitlines() if line.startswith("Max core"))
    assert limit.split()[4:6] == ["0", "0"]


@pytest.mark.usefixtures("loose")
def test_a_store_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """New stores, world-readable ones from 0.1, copies and restored ones, with their open logs, are private."""
    found_office(tmp_path / "hq")
    hq = open_node(tmp_path / "hq")
    with hq.store.write() as tx:
        tx.settings.restored = True
    assert (tmp_path / "hq" / "store.db-wal").exists()
    assert readable(tmp_path / "hq") == []
    hq.close()
    for file in (tmp_path / "hq").iterdir():
        if file.name.startswith("store.db"):
            file.chmod(0o644)
    hq = open_node(tmp_path / "hq", shared=True)
    assert readable(tmp_path / "hq") == []
    (tmp_path / "copies").mkdir()
    backups.write_backup(hq, tmp_path / "copies" / "copy")
    hq.close()
    assert readable(tmp_path / "copies" / "copy") == []
    backups.restore_backup(tmp_path / "copies" / "copy", tmp_path / "again", lambda slots: slots.open_keyfile(SECRET))
    assert readable(tmp_path / "again") == []


@pytest.mark.usefixtures("loose")
def test_command_output_files_are_private(tmp_path: Path, cast_template: Path) -> None:
    """Drafts, bundles, exports and forms are private, also in a folder that existed before."""
    there = Office(cast_template, tmp_path / "office")
    there.server.stop()
    try:
        (tmp_path / "out").mkdir()
        for words in (
            ("export", "household", "--out", str(tmp_path / "out" / "families.csv")),
            ("pack", str(tmp_path / "out" / "bundle")),
            ("backup", str(tmp_path / "out" / "backup")),
        ):
            assert there.run("amal", *words).returncode == 0
        assert readable(tmp_path / "out") == ["out"]
        (tmp_path / "new").mkdir(mode=0o777)
        done = subprocess.run(
            [sys.executable, "-m", "fieldsync", "--home", str(tmp_path / "new"), "server", "init", "--org", "x", "--unit", "LAT",
             "--address", "https://127.0.0.1:9"],
            env=there.environment, cwd=tmp_path, check=False, capture_output=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done
        assert readable(tmp_path / "new") == []
    finally:
        there.close()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system shows no environments")
def test_a_server_s_passphrase_is_not_in_its_environment(tmp_path: Path) -> None:
    """While serving, the process's environment lacks the passphrase that opened the store."""

    def both(slots: Slots, key: bytes) -> None:
        fill(slots, key)
        slots.add_passphrase(key, PASSPHRASE)

    administration.init_server(
        tmp_path / "hq",
        both,
        administration.ServerPlan(org="x", unit="LAT", address="https://127.0.0.1:9"),
        load.shipped_texts(),
    )
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FIELDSYNC")}
    environment |= {"FIELDSYNC_PASSPHRASE": PASSPHRASE, "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable,
        "-m",
        "fieldsync",
        "--home",
        str(tmp_path / "hq"),
        "server",
        "run",
        "--listen",
        f"127.0.0.1:{port}",
    ]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            assert server.stderr.readline().startswith("listening on")
            hidden(server.pid)
        finally:
            server.terminate()
            assert server.wait(30) == 0


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system shows no environments")
def test_a_watching_laptop_s_passphrase_is_not_in_its_environment(tmp_path: Path, cast_template: Path) -> None:
    """`sync --watch` runs for days: its environment has no passphrase, it dumps no core, and it still syncs."""
    office = Office(cast_template, tmp_path / "office")
    try:
        slots = office["amal"].home / nodes.SLOTS
        known = Slots.from_bytes(slots.read_bytes())
        known.add_passphrase(known.open_keyfile(SECRET), PASSPHRASE)
        slots.write_bytes(known.to_bytes())
        office.shut("amal")
        environment = {name: value for name, value in office.environment.items() if name != "FIELDSYNC_KEY_FILE"}
        command = office.command("amal", "sync", "--watch", "--every", "1h", "--json")
        with subprocess.Popen(
            command, env=environment | {"FIELDSYNC_PASSPHRASE": PASSPHRASE}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as watch:  # fmt: skip
            try:
                assert watch.stdout is not None
                assert '"digest"' in watch.stdout.readline()
                hidden(watch.pid)
            finally:
                watch.terminate()
                assert watch.wait(30) == 0
    finally:
        office.close()


@pytest.mark.skipif(sys.platform != "linux", reason="a system of its own")
def test_no_core_is_dumped(tmp_path: Path) -> None:
    """A hardened process that crashes leaves no core dump, whatever the shell allows."""
    code = (
        "import ctypes, os, signal; from fieldsync.commands.support import process; process.harden(); "
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True); os.kill(os.getpid(), signal.SIGABRT)"
    )

    def allow() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, preexec_fn=allow,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "0\n", "not dumpable"
    assert done.returncode == -6
    assert list(tmp_path.iterdir()) == []


def test_store_files_are_private_in_a_shared_folder(people: Cast) -> None:
    """A folder with other content keeps its permissions; the store's files in it are private."""
    home = people.amal.home
    people.amal.close()
    (home / "other.txt").write_text("x")
    home.chmod(0o755)
    node = open_node(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o755
    assert stat.S_IMODE((home / "store.db").stat().st_mode) == 0o600
    assert nodes.SLOTS in {one.name for one in home.iterdir()}
    node.close()
