"""A file that is written whole replaces the one before it, or leaves it and nothing else."""

import os
from pathlib import Path

import pytest

from fieldsync.store.private_files import write_whole


@pytest.mark.parametrize("fault", [OSError, ValueError, KeyboardInterrupt])
def test_an_interrupted_write_changes_nothing(tmp_path: Path, fault: type[BaseException]) -> None:
    """Whatever ends it, the former content stays and no draft is left."""
    file = tmp_path / "slots.json"
    file.write_bytes(b"before")
    with pytest.raises(fault), write_whole(file) as out:
        out.write(b"half")
        raise fault
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("slots.json", b"before")]


def test_a_killed_writers_draft_gives_way(tmp_path: Path) -> None:
    """The next write takes the draft's place; the file is its owner's only."""
    file = tmp_path / "slots.json"
    (tmp_path / "slots.json.new").write_bytes(b"left by a killed process")
    with write_whole(file) as out:
        out.write(b"after")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("slots.json", b"after")]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of open files are read from /proc")
def test_a_new_name_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file before it takes its name, the folder afterwards: a power loss leaves one of both files, whole."""
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append((Path(f"/proc/self/fd/{handle}").readlink().name, (tmp_path / "slots").exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with write_whole(tmp_path / "slots") as file:
        file.write(b"x")
    assert synced == [("slots.new", False), (tmp_path.name, True)]
