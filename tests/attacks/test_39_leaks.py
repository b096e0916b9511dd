"""Leaks: no error of a command or a server contains a value, a name or a key."""

import subprocess

from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests.cast import SECRET
from tests.offices import Hand, Office, write

PLANTED = "المزروعيPlanted"


def test_no_error_contains_a_value(own_office: Office) -> None:
    """Errors for values in wrong places, also with debugging on, name fields and reasons but never the value."""
    record = save.add_record(
        own_office["amal"], "household", Changes(set={"family_name": PLANTED, "location": PLANTED})
    ).hex()
    other = save.add_record(own_office["amal"], "household", Changes(set={"family_name": PLANTED})).hex()
    write(own_office["amal"], bytes.fromhex(other), {"state": PLANTED}, {PLANTED: PLANTED})
    own_office.shut("amal")
    (own_office.home / "rows.csv").write_text(
        f"family_name,registered_on,size_stated\n{PLANTED},{PLANTED},{PLANTED}\n", encoding="utf-8"
    )
    (own_office.home / "one.json").write_text(f'{{"size_stated": "{PLANTED}", ', encoding="utf-8")
    wrong = [
        ["edit", record, "--set", f"size_stated={PLANTED}"], ["edit", record, "--set", f"state={PLANTED}"],
        ["edit", record, "--set", f"registered_on={PLANTED}"], ["edit", record, "--put", f"groups={PLANTED}"],
        ["edit", record, "--count", f"family_name={PLANTED}"], ["add", "household", "--set", f"housing={PLANTED}"],
        ["import", "rows.csv", "--type", "household"], ["add", "household", "--from", "one.json"],
        ["review", "take", record, "location", "--value", PLANTED], ["sync", "--server", "nobody"], ["sync"],
    ]  # fmt: skip
    keys = [SECRET.decode(), own_office["samar"].key.to_bytes().hex()]
    said = []
    for i, words in enumerate(wrong):
        done = own_office.run("amal", *words, *(["--json"] if i % 2 else []), FIELDSYNC_DEBUG=str(i % 2))
        assert done.returncode or words == ["sync"], words
        said.append(done.stdout + done.stderr)
    hand = Hand(own_office["amal"], own_office.port)
    hand.post("/v2/sync", hand.hello(), PLANTED.encode())
    own_office.server.stop()
    said += own_office.server.said
    for text in said:
        assert PLANTED not in text, text
        assert not any(key in text for key in keys)


def test_no_secret_is_an_argument(own_office: Office) -> None:
    """No process has the passphrase or the key file's content on its command line."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert SECRET.decode() not in listed
    helped = own_office.run("amal", "--help").stdout + own_office.run("amal", "join", "--help").stdout
    assert "--passphrase " not in helped
