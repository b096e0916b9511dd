"""Killed exports: plain names are only ever in the complete, requested file."""

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kills import kill, spend
from tests.offices import Office
from tests.warm import Process

PLANTED = "Zzyzxabad"
COUNT = 1_200
KINDS = ["csv", "xlsx", "jsonl", "sqlite", "hxl.csv", "hxl.xlsx"]
PLACES = ("tmp", "home", "here", "out")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, cast_template: Path) -> Iterator[Office]:
    """An office in which Amal has families with a name that is found again."""
    office = Office(cast_template, tmp_path_factory.mktemp("exports"))
    office.server.stop()
    file = office.home / "families.csv"
    _families(file, "4")
    office.json("amal", "import", str(file), "--type", "household")
    file.unlink()
    yield office
    office.close()


def _families(file: Path, size: str) -> None:
    rows = [f"{PLANTED},{n},{size}" for n in range(COUNT)]
    file.write_text("\n".join(["family_name,location,size_stated", *rows]) + "\n", encoding="utf-8")


def holding(*folders: Path) -> list[Path]:
    """Return the files in which the name stands, plain or in a part of a workbook, whole or not."""
    files = {one for folder in folders for one in folder.rglob("*") if one.is_file()}
    return sorted(one for one in files if PLANTED.encode() in _plain(one.read_bytes()))


def _plain(data: bytes) -> bytes:
    found, at = data, data.find(b"PK\3\4")
    while at >= 0:
        start = at + 30 + sum(int.from_bytes(data[at + n : at + n + 2], "little") for n in (26, 28))
        try:
            found += zlib.decompressobj(-15).decompress(data[start:])
        except zlib.error:
            pass  # no part's beginning
        at = data.find(b"PK\3\4", at + 4)
    return found


def begun(office: Office, folder: Path, role: str, *words: str) -> Process:
    """Begin a process whose temporary files, home and folder are searched afterwards."""
    for place in PLACES:
        (folder / place).mkdir(exist_ok=True)
    environment = office.environment | {
        "TMPDIR": str(folder / "tmp"), "SQLITE_TMPDIR": str(folder / "tmp"), "HOME": str(folder / "home"),
    }  # fmt: skip
    return Process(role, *words, environment=environment, folder=folder / "here")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [False, True])
def test_an_export_killed_midway_leaves_nothing(planted: Office, tmp_path: Path, kind: str, before: bool) -> None:
    """Killed after five hundred records, an export leaves nothing behind, and an existing file is unchanged."""
    out = tmp_path / "out" / f"families.{kind}"
    out.parent.mkdir()
    if before:
        out.write_text("as before")
    process = begun(planted, tmp_path, "export_cut_short", str(planted.home / "amal"), "household", str(out))
    assert process.wait(60) == -9
    assert holding(tmp_path, planted.home) == []
    assert [one.name for one in out.parent.iterdir()] == ([out.name] if before else [])
    assert not before or out.read_text() == "as before"


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "target", "status"),
    [
        *((("export", "household", "--out", f"families.{kind}"), f"families.{kind}", 0) for kind in KINDS),
        (("report", "caseload", "--format", "xlsx", "--out", "report.xlsx"), "report.xlsx", 0),
        (("import", "bad.csv", "--type", "household"), "bad.csv.rejected.csv", 3),
        (("import", "bad.xlsx", "--type", "household"), "bad.xlsx.rejected.xlsx", 3),
    ],
)  # fmt: skip
def test_an_export_killed_at_any_moment_leaves_a_whole_file_or_none(
    planted: Office, tmp_path: Path, words: tuple[str, ...], target: str, status: int
) -> None:
    """Commands are killed throughout their run; afterwards there is the whole file or no file."""
    out = tmp_path / "out"
    given = [out / word for word in words if word.startswith("bad.")]
    command = [str(out / word) if "." in word else word for word in words]

    def start() -> Process:
        return begun(planted, tmp_path, "command", "--home", str(planted.home / "amal"), *command)

    out.mkdir()
    for one in given:
        _families(out / "bad.csv", "none")
        if one.suffix == ".xlsx":
            _as_workbook(out / "bad.csv", one)
    first = start()
    whole = spend(first)
    assert first.wait(60) == status, first.stderr.read()
    expected = (out / target).stat().st_size
    for part in range(12):
        (out / target).unlink(missing_ok=True)
        if kill(start(), (0.2 + 0.8 * (part + random.random()) / 12) * whole) is None:
            assert set(holding(tmp_path, planted.home)) <= {out / target, *given, out / "bad.csv"}
            assert not (out / target).exists() or (out / target).stat().st_size >= expected * 9 // 10


def _as_workbook(table: Path, book: Path) -> None:
    from fieldsync.exchange.tables import workbook

    head, *rows = (line.split(",") for line in table.read_text().splitlines())
    with book.open("wb") as file:
        workbook.write_workbook(file, "families", [head], rows)
