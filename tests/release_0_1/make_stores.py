"""Make stores.tar.xz with 0.1's own program: `python -m tests.release_0_1.make_stores FILE`. See README.md beside this file."""

import io
import lzma
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from fieldsync.crypto.slots import Slots
from tests.cast import unlock
from tests.older import Computer, Release
from tests.release_0_1 import pages

STORES = Path(__file__).with_name("stores.tar.xz")
PORTS = {"hq": 18471, "jbl": 18472}
"""Where the two servers listen: their addresses are in the stores of their laptops."""
LAPTOPS = ("amal", "samar", "basim", "nora")
ROOF = """
[fields.roof]
type = "text"
merge = "latest"
sensitivity = 1
label = { en = "Roof", ar = "السقف" }
"""
"""The field that headquarters published."""


def computers(folder: Path, release: Release | None) -> dict[str, Computer]:
    """Return the computers whose stores are, or are to be, in a folder."""
    made = {name: Computer(folder / name, release) for name in (*PORTS, *LAPTOPS)}
    for name, port in PORTS.items():
        made[name].port = port
    return made


def make(folder: Path, release: Release) -> None:
    """Fill a folder with the stores of two servers and four laptops, and with the backups and bundles that they made."""
    at = computers(folder, release)
    hq, jbl, amal, samar, basim, nora = at.values()
    address = f"https://127.0.0.1:{hq.port}"
    told = hq.json("server", "init", "--org", "Office", "--unit", "LAT", "--address", address)
    jbl.found("Jableh", "LAT/JBL")
    with hq.serving(), jbl.serving():
        amal.json("join", hq.invite("Amal", "caseworker", "LAT/JBL"))
        samar.json("join", hq.invite("Samar", "supervisor", "LAT"))
        basim.json("join", hq.invite("Basim", "caseworker", "LAT/JBL"))
        jbl.json("server", "upstream", "set", hq.invite("Jableh", "branch", "LAT/JBL"))
        nora.json("join", jbl.invite("Nora", "caseworker", "LAT/JBL"))
        shutil.copytree(release.folder / "schemas", folder / "forms")
        form = folder / "forms" / "household.toml"
        form.write_text(form.read_text("utf-8").replace("version = 1", "version = 2", 1) + ROOF, "utf-8")
        hq.json("schema", "publish", str(folder / "forms"))
        shutil.rmtree(folder / "forms")
        for one in (amal, samar, basim):
            one.json("sync")
        family = _add(amal, "first", "--set", "roof=of tin")
        person = ("--set", "given=سلمى", "--set", "sex=female", "--set", f"household={family}")
        amal.json("add", "person", *person, "--unit", "LAT/JBL")
        settled = _add(amal, "second")
        for one in (amal, samar):
            one.json("sync")
        for record in (family, settled):
            amal.json("edit", record, "--set", "location=by Amal")
            samar.json("edit", record, "--set", "location=by Samar")
        for one in (amal, samar):
            one.json("sync")
        samar.json("review", "take", settled, "location", "--value", "decided by Samar")
        samar.json("sync")
        _add(amal, "third")
        amal.json("sync")
        letters = {one["person"]: one["device"] for one in hq.json("server", "devices")}
        _add(basim, "of Basim")
        hq.json("server", "grant", letters["Basim"], "--role", "caseworker", "--unit", "LAT/QRD")
        basim.json("sync")
        _add(nora, "of Nora")
        nora.json("sync")
    _add(nora, "pending of Nora")
    jbl.json("pack", str(folder / "jbl.age"))
    _add(amal, "pending of Amal")
    amal.json("pack", str(folder / "amal.age"))
    hq.json("pack", str(folder / "samar.age"), "--for", letters["Samar"])
    hq.json("server", "backup", str(folder / "hq.fsbackup"))
    amal.json("backup", str(folder / "amal.fsbackup"))
    (folder / "recovery.txt").write_text(told["recovery"], "utf-8")


def _add(at: Computer, place: str, *more: str) -> str:
    return str(at.json("add", "household", "--set", "family_name=الخطيب", "--set", f"location={place}", *more)["id"])


def pack(folder: Path, file: Path) -> None:
    """Write a folder into an archive, stores decrypted; key files stay out: they are `tests.cast.SECRET`."""
    with lzma.open(file, "wb") as raw, tarfile.open(fileobj=raw, mode="w") as archive:
        for one in sorted(folder.rglob("*")):
            if one.is_file() and one.suffix != ".key":
                data = _with_pages(one, pages.decrypt)
                member = tarfile.TarInfo(one.relative_to(folder).as_posix())
                member.size, member.mode = len(data), one.stat().st_mode
                archive.addfile(member, io.BytesIO(data))


def unpack(folder: Path, file: Path = STORES) -> None:
    """Unpack the stores into a folder, byte by byte as 0.1 left them."""
    with lzma.open(file) as raw, tarfile.open(fileobj=raw) as archive:
        archive.extractall(folder, filter="data")
    for one in folder.rglob("*"):
        if one.is_file():
            one.write_bytes(_with_pages(one, pages.encrypt))


def _with_pages(file: Path, turn: Callable[[bytes, bytes], bytes]) -> bytes:
    """Return a file's bytes, with the pages of the store turned that it is or, being a backup, contains."""
    data = file.read_bytes()
    if file.name == "store.db":
        return turn(data, unlock(Slots.from_bytes(file.with_name("slots.json").read_bytes())))
    if file.suffix != ".fsbackup":
        return data
    with tarfile.open(file) as archive:
        slots, store = (archive.getmember(name) for name in ("slots.json", "store.db"))
    part, locked = (slice(one.offset_data, one.offset_data + one.size) for one in (store, slots))
    turned = turn(data[part], unlock(Slots.from_bytes(data[locked])))
    return data[: part.start] + turned + data[part.stop :]


def main(file: Path) -> None:
    """Make the stores and pack them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "program").mkdir()
        (folder / "world").mkdir()
        release = Release(folder / "program")
        try:
            make(folder / "world", release)
        finally:
            release.close()
        pack(folder / "world", file)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else STORES)
