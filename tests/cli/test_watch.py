"""`sync` on bad lines as processes: budgets over real HTTP, Ctrl-C, and `--watch` from its start to its end."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.commands.support import quantities
from tests.lines import Thin, closing
from tests.offices import Office


@contextmanager
def watching(office: Office, name: str, *words: str) -> "Iterator[subprocess.Popen[str]]":
    """Run `sync --watch` as a process."""
    office.shut(name)
    process = subprocess.Popen(
        office.command(name, "sync", "--watch", *words), env=office.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: "subprocess.Popen[str]") -> Any:
    """Return the next document that a watch tells."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def end(process: "subprocess.Popen[str]", number: int) -> tuple[int, str, str]:
    """End a watch as a person or the system does; return its exit code and what it said last."""
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def test_watch_syncs_new_saves_at_once(own_office: Office) -> None:
    """With an interval of an hour it sends another command's save immediately; SIGTERM ends it with 0."""
    with watching(own_office, "amal", "--every", "1h", "--json") as process:
        assert line_of(process)["up"]["commits"] == 0
        for _ in range(2):
            own_office.json("amal", "add", "household", "--set", "family_name=محمد")
            told = line_of(process)
            assert (told["up"]["commits"], told["digest"]) == (1, "equal")
        code, out, err = end(process, signal.SIGTERM)
    assert (code, out, err) == (0, "", "")


def test_watch_waits_for_the_server(own_office: Office) -> None:
    """It reports once that there is no connection, then syncs; Ctrl-C ends it with a summary."""
    own_office.register("amal", 5)
    own_office.server.stop()
    with watching(own_office, "amal", "--every", "1s") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Syncing with Office")
        assert process.stderr.readline() == "No connection; syncing goes on when there is one (5 saves to send).\n"
        own_office.server.start()
        assert process.stdout.readline().startswith("Synced with Office: 5 sent")
        code, out, err = end(process, signal.SIGINT)
    assert code == 0
    assert out.splitlines()[-1].startswith("Ended: ")
    assert "5 sent" in out.splitlines()[-1]
    assert err == ""


def test_watch_ends_on_a_refusal(own_office: Office) -> None:
    """A revoked laptop does not keep asking."""
    own_office.json("hq", "server", "revoke", own_office["amal"].letters)
    with watching(own_office, "amal", "--json") as process:
        assert line_of(process)["error"]["code"] == "revoked"
        assert process.wait(30) == 7


def test_a_byte_budget_holds_over_http(own_office: Office) -> None:
    """The reported cost is within it; the remainder is shown; another sync continues."""
    own_office.register("amal", 900)
    own_office.shut("amal")
    told = []
    for _ in range(30):
        synced = own_office.json("amal", "sync", "--budget", "5KB")
        assert synced["up"]["bytes"] + synced["down"]["bytes"] <= 5_000
        told.append(synced)
        if "partial" not in synced:
            break
    left = [one["remaining"]["commits"] for one in told[:-1]]
    assert left == sorted(set(left), reverse=True)
    assert len(left) > 1
    assert told[-1]["digest"] == "equal"
    assert all(one["digest"] == "unchecked" and one["partial"] for one in told[:-1])
    said = own_office.run("samar", "sync", "--budget", "4KB").stdout.splitlines()
    assert said[1] == "The byte budget is used up: 0 saves and older records wait for the next sync."


def test_ctrl_c_ends_with_a_summary(own_office: Office) -> None:
    """During a wait: one message with the pending commits, exit code 130, and received data is kept."""
    own_office.register("amal", 30)
    with closing(Thin(own_office.port, cuts=iter([300] * 99))) as line:
        own_office.meets("amal", line.port)
        own_office.shut("amal")
        process = subprocess.Popen(
            own_office.command("amal", "sync", "--tries", "50"), env=own_office.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip
        assert process.stderr is not None
        assert "of 50; 30 saves still to send." in process.stderr.readline()
        code, out, err = end(process, signal.SIGINT)
    assert (code, out) == (130, "")
    assert "Stopped; what arrived is kept, the rest is safe here (unsent: 30)." in err.splitlines()
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("200KB", 200_000),
        ("200K", 200_000),
        ("1MB", 1_000_000),
        ("1.5 mib", 1_572_864),
        ("4000", 4_000),
        ("٢٠٠KB", 200_000),
    ],
)
def test_sizes_are_read(text: str, bytes_: int) -> None:
    """In usual notations."""
    assert quantities.size(text, 4_000) == bytes_


@pytest.mark.parametrize("text", ["", "KB", "-1", "1e9", "200 KBB", "3999", "0", "1GB", "²KB", "9" * 40])
def test_invalid_sizes_are_refused(text: str) -> None:
    """As usage errors."""
    with pytest.raises(errors.Usage):
        quantities.size(text, 4_000)


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("5m", 300), ("1h", 3_600), ("90", 90), ("1.5h", 5_400)])
def test_durations_are_read(text: str, seconds: float) -> None:
    """In usual notations."""
    assert quantities.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0.5s", "s", "8 days", "-3s", "200h"])
def test_invalid_durations_are_refused(text: str) -> None:
    """Outside a second to a week."""
    with pytest.raises(errors.Usage):
        quantities.seconds(text)
