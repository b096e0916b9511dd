"""A seized disk: raw reads of a laptop's or server's folder reveal no planted word."""

import tarfile
from pathlib import Path

from tests.offices import Office

PLANTED = ("المزروعيPlanted", "زيتونةPlanted", "+963944777888", "PlantedNote")


def everything(folder: Path) -> bytes:
    """Return all bytes of all files below a folder, names included, as a copier of disks gets them."""
    image = folder.parent / f"{folder.name}.tar"
    with tarfile.open(image, "w") as tar:
        tar.add(folder)
    return image.read_bytes()


def test_no_planted_word_is_on_the_disk(own_office: Office, tmp_path_factory: object) -> None:
    """Names, places, phones and notes are saved, searched, synced and in conflict; no disk file, journal or temporary file has them."""
    temporary = own_office.home / "tmp"
    temporary.mkdir()
    here = {"TMPDIR": str(temporary), "SQLITE_TMPDIR": str(temporary)}
    name, place, phone, note = PLANTED
    words = ("--set", f"family_name={name}", "--set", f"location={place}", "--put", f"phones={phone}", "--note", note)
    done = own_office.run("amal", "add", "household", *words[:4], "--note", note, "--json", **here)
    assert done.returncode == 0, done
    record = own_office.json("amal", "list", "household")[0]["id"]
    own_office.run("amal", "edit", record, *words[4:], **here)
    assert name in own_office.run("amal", "find", name, **here).stdout
    own_office.json("amal", "sync")
    own_office.json("basim", "sync")
    for who in ("amal", "basim"):
        own_office.json(who, "edit", record, "--set", f"location={place} {who}")
    for who in ("amal", "basim", "amal"):
        own_office.json(who, "sync")
    own_office.json("amal", "remove", record, "--reason", note)
    own_office.server.kill()  # its write-ahead log stays where it is
    for who in ("hq", "amal", "basim", "tmp"):
        found = everything(own_office.home / who)
        for word in PLANTED:
            for encoding in ("utf-8", "utf-16-le", "utf-16-be", "cp1256"):
                assert word.encode(encoding, "replace") not in found, (who, word, encoding)
    assert list(temporary.iterdir()) == []
    assert {path.name for path in (own_office.home / "amal").iterdir()} <= {
        "slots.json",
        "store.db",
        "store.db-wal",
        "store.db-shm",
    }
