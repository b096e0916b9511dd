"""Terminals and pipes in other encodings: no crash, no false report of losses, and secret files open."""

import io
import json
import sys
from pathlib import Path

import pytest

from fieldsync.commands.support import text_files
from fieldsync.ui.terminal import code_pages
from tests.cli.conftest import World


def _family(world: World) -> str:
    made = world.here("amal", "add", "household", "--set", "family_name=علي", "--set", "address=الشاطئ", "--json").json
    return str(made["id"])


@pytest.mark.parametrize("encoding", ["cp1256", "cp1252", "cp437", "ascii"])
def test_output_works_in_every_code_page(world: World, encoding: str) -> None:
    """Exit code 0, complete codes and figures; lost letters are reported once, with advice; JSON is unchanged."""
    home = _family(world)
    for words in (["list", "household"], ["show", home], ["history", home], ["schema", "show", "household"]):
        done = world.here("amal", *words, "--lang", "en", encoding=encoding)
        assert (done.code, "JBL-" in done.out or words[0] in ("schema", "history")) == (0, True), (words, done)
        lost = encoding != "cp1256"
        assert ("chcp 65001" in done.err) is (lost and "?" in done.out), (words, done)
    told = world.here("amal", "show", home, "--json", encoding=encoding)
    assert json.loads(told.out)["fields"]["family_name"] == "علي"


def test_english_is_used_where_arabic_cannot_be_shown(world: World) -> None:
    """An error in unreadable characters is useless; the exit code stays."""
    done = world.here("amal", "show", "nothing", "--lang", "ar", encoding="cp437")
    assert (done.code, "?" in done.err, "record" in done.err) == (5, False, True)


def test_symbols_are_replaced_by_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrows and dashes have ASCII equivalents, direction marks are left out, and only letters are reported lost."""
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(io.BytesIO(), "ascii", write_through=True))
    loss = code_pages.prepare_streams()
    print("3 → ٤ — “x” … \u2068ok\u2069 ✓")
    assert sys.stdout.buffer.getvalue() == b'3 -> 4 - "x" ... ok +\n'  # type: ignore[attr-defined]
    assert not loss.letters
    print("علي")
    assert loss.letters


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_utf_16_passphrase_file_is_read(tmp_path: Path, encoding: str) -> None:
    """As PowerShell writes it: the passphrase is the same."""
    path = tmp_path / "pass"
    for phrase in ("correct horse amal", "أربع كلمات سهلة الحفظ"):
        path.write_bytes(f"{phrase}\r\nsecond line\r\n".encode(encoding))
        assert text_files.decoded(path.read_bytes()).splitlines()[0] == phrase


def test_a_store_opens_with_a_passphrase_file_of_powershell(world: World) -> None:
    """Created with the passphrase in UTF-16, it opens with the same in UTF-8."""
    for name, encoding in (("wide", "utf-16"), ("plain", "utf-8")):
        (world.folder / name).write_bytes("correct horse amal\r\n".encode(encoding))
    done = world.here("amal", "passphrase", "--new-passphrase-file", str(world.folder / "wide"), "--json")
    assert done.code == 0, done
    command = ("status", "--passphrase-file", str(world.folder / "plain"), "--json")
    assert world.run("amal", *command, FIELDSYNC_KEY_FILE="").code == 0
