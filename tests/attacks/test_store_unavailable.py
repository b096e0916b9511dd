"""A store locked by another program or on a read-only file system: reported as such, quickly, with its own exit code."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.crypto.slots import Slots
from fieldsync.protocol import sync_once
from fieldsync.replica.node import SLOTS
from fieldsync.store import open_store
from fieldsync.store.sqlite import encryption
from fieldsync.ui.terminal import messages
from tests.cast import SECRET
from tests.lines import Answering
from tests.offices import Office
from tests.server.test_admission import certificate_of

UNAVAILABLE = 10


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait twenty seconds for a lock: two are enough to be told of."""
    monkeypatch.setattr(encryption, "BUSY_SECONDS", 2)


@pytest.fixture
def read_only(own_office: Office, tmp_path: Path) -> Iterator[Path]:
    """Return Amal's folder on a file system that is mounted read-only."""
    place = tmp_path / "medium"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("may not mount a file system here")
    try:
        shutil.copytree(own_office.home / "amal", place / "amal")
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        yield place / "amal"
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _key(home: Path) -> bytes:
    return Slots.from_bytes((home / SLOTS).read_bytes()).open_keyfile(SECRET)


@pytest.mark.usefixtures("hurried")
def test_a_save_reports_that_the_store_is_busy(own_office: Office) -> None:
    """While an import holds the store, Amal's save reports each second and ends with `store_busy`; later it succeeds."""
    home = own_office.home / "amal"
    own_office.shut("amal")
    seconds: list[int] = []
    with (
        closing(open_store(home, _key(home))) as other,
        closing(open_store(home, _key(home), waiting=seconds.append)) as store,
    ):
        with other.write() as tx:
            tx.settings.restored = True
            with pytest.raises(errors.StoreBusy), store.write():
                pass
        assert seconds == [1]
        with store.write() as tx:
            tx.settings.restored = False


def test_a_command_reports_after_a_second_that_it_waits(own_office: Office) -> None:
    """A command reports that another program holds the store, and runs as soon as it is free."""
    home = own_office.home / "amal"
    own_office.shut("amal")
    with closing(open_store(home, _key(home))) as other:
        with other.write() as tx:
            tx.settings.restored = True
            command = own_office.command("amal", "add", "household", "--set", "family_name=الخطيب")
            saving = subprocess.Popen(
                command, env=own_office.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            assert saving.stderr is not None
            assert "waiting" in saving.stderr.readline()  # it would never come if nothing were said
        assert saving.wait(60) == 0
        saving.communicate()
    assert len(own_office.json("amal", "list", "household")) == 1


def test_a_read_only_file_system_is_reported(own_office: Office, read_only: Path) -> None:
    """Every command on a read-only medium fails at once, with the exit code for the computer."""
    for command in (
        ("status",),
        ("add", "household", "--set", "family_name=الخطيب"),
        ("list", "household"),
        ("check",),
    ):
        done = subprocess.run(
            [*own_office.command("amal", *command, "--json"), "--home", str(read_only)],
            env=own_office.environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == UNAVAILABLE, done
        assert json.loads(done.stdout)["error"]["code"] == "store_read_only"
        assert "waiting" not in done.stderr


def test_a_server_s_disk_error_is_attributed_to_the_server(own_office: Office) -> None:
    """When the server's disk is read-only, the laptop's message names the server, not the laptop."""
    body = b'{"error": {"code": "store_read_only", "facts": {}}}'
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n" % len(body)
    own_office.register("amal", 1)
    with closing(Answering(certificate_of(own_office), [head + body])) as server:
        own_office.meets("amal", server.port)
        with pytest.raises(errors.StoreReadOnly) as told:
            sync_once.sync_once(own_office["amal"])
    message, _ = messages.explain_error(told.value, "en")
    assert str(server.port) in message
    assert "all your work is safe here" in message


@pytest.mark.long
def test_a_sync_with_a_busy_server_is_retried(own_office: Office) -> None:
    """While an operator's program holds the server's store, a sync reports that the server is busy; later it succeeds."""
    home = own_office.home / "hq"
    own_office.register("amal", 1)
    with closing(open_store(home, _key(home))) as other, other.write() as tx:
        tx.settings.restored = True
        with pytest.raises(errors.Busy):
            sync_once.sync_once(own_office["amal"])
    assert sync_once.sync_once(own_office["amal"]).digest == "equal"
