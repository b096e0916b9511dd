"""A branch beside its headquarters: real servers, real commands."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldsync.demo.story_runner import free_port
from fieldsync.server import branch_link
from tests import warm
from tests.cast import ROOT, SECRET, ServerProcess, fill, found_office, open_node
from tests.tree import office_texts


class Tree:
    """A headquarters and a branch that serve, and the folders of laptops."""

    def __init__(self, home: Path) -> None:
        from fieldsync.server import administration

        self.home = home
        (home / "key").write_bytes(SECRET)
        self.servers = {}
        for name in ("hq", "branch"):
            port = free_port()
            if name == "hq":
                found_office(home / name, port)
            else:
                address = f"https://127.0.0.1:{port}"
                administration.init_server(
                    home / name,
                    fill,
                    administration.ServerPlan(org="x", unit="LAT/JBL", address=address),
                    office_texts(home),
                )
            self.servers[name] = ServerProcess(home / name, port)
            self.servers[name].start()

    def json(self, name: str, *words: str, code: int = 0) -> Any:
        """Run a command on somebody's computer and return what it told."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FIELDSYNC_KEY_FILE": str(self.home / "key"),
            "FIELDSYNC_LANG": "en",
        }
        said = ("--home", str(self.home / name), *words, "--json")
        done = warm.Process("command", *said, environment=environment, folder=self.home).end(60)
        assert done.returncode == code, done
        return json.loads(done.stdout)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """Serve a tree for a while."""
    made = Tree(tmp_path)
    yield made
    for server in made.servers.values():
        if server.running:
            server.stop()


def test_a_branch_forwards_saves_up_and_decisions_down(tree: Tree) -> None:
    """Amal at the branch and Basim at headquarters change one family; each gets the other's change, and Amal her receipts."""
    invite = tree.json("hq", "server", "invite", "Jableh", "--role", "branch", "--unit", "LAT/JBL")["invite"]
    assert tree.json("branch", "server", "upstream", "set", invite)["server"] == "Office"
    assert tree.json("branch", "server", "upstream", "set", invite, code=2)["error"]["code"] == "usage"
    for name, server, role in (("amal", "branch", "caseworker"), ("samar", "hq", "supervisor")):
        invite = tree.json(server, "server", "invite", name, "--role", role, "--unit", "LAT/JBL")["invite"]
        tree.json(name, "join", invite)
    made = tree.json("amal", "add", "household", "--set", "location=جبلة")
    tree.json("amal", "sync")
    told = tree.json("branch", "server", "upstream", "sync")
    assert (told["up"]["commits"], told["digest"]) == (1, "equal")
    tree.json("samar", "sync")
    tree.json("samar", "edit", made["id"], "--set", "location=طرطوس")
    tree.json("amal", "edit", made["id"], "--set", "location=بانياس")
    tree.json("samar", "sync")
    tree.json("amal", "sync")
    assert tree.json("branch", "server", "upstream", "sync")["new_conflicts"] == 1
    tree.json("samar", "sync")
    heads = tree.json("samar", "review", "list")[0]["heads"]
    mine = next(f"{head['device']}:{head['seq']}" for head in heads if head["by"] == "amal")
    tree.json("samar", "review", "take", made["id"], "location", "--head", mine)
    tree.json("samar", "sync")
    tree.json("branch", "server", "upstream", "sync")
    tree.json("amal", "sync")
    assert tree.json("amal", "show", made["id"])["fields"]["location"] == "بانياس"
    there = tree.json("branch", "history", made["id"])
    assert [entry["receipt"]["received"] for entry in there if entry["by"] == "amal"] == [["LAT/JBL", "Office"]] * 2
    history = tree.json("amal", "history", made["id"])
    assert [entry["receipt"]["received"] for entry in history if entry["by"] == "amal"] == [["LAT/JBL", "Office"]] * 2
    assert (
        tree.json("amal", "sync", "--server", "Office")["digest"] == "equal"
    )  # today the branch, tomorrow headquarters
    letters = tree.json("amal", "status")["device"]
    tree.json("hq", "server", "revoke", letters)
    tree.json("branch", "server", "upstream", "sync")
    assert tree.json("amal", "sync", "--server", "LAT/JBL", code=7)["error"]["code"] == "revoked"


def test_a_branch_that_a_restored_headquarters_lost_comes_back_by_an_invite(tree: Tree) -> None:
    """Headquarters is put back to before the branch was enrolled: a new invite brings it back, its laptops, their codes and their work."""
    kept = str(tree.home / "kept.fsbackup")
    tree.json("hq", "backup", kept)
    branch = ("server", "invite", "Jableh", "--role", "branch", "--unit", "LAT/JBL")
    tree.json("branch", "server", "upstream", "set", tree.json("hq", *branch)["invite"])
    invite = tree.json("branch", "server", "invite", "amal", "--role", "caseworker", "--unit", "LAT/JBL")["invite"]
    tree.json("amal", "join", invite)
    made = tree.json("amal", "add", "household", "--set", "location=جبلة")
    tree.json("amal", "sync")
    tree.json("branch", "server", "upstream", "sync")
    tree.servers["hq"].stop()
    (tree.home / "hq").rename(tree.home / "broken")
    tree.json("hq", "restore", kept)
    tree.servers["hq"].start()
    refused = tree.json("branch", "server", "upstream", "sync", code=7)["error"]
    assert (refused["code"], refused["facts"]["reason"]) == ("unknown_device", "branch")
    assert "server upstream set" in refused["hint"]
    tree.json("branch", "server", "upstream", "set", tree.json("hq", *branch)["invite"])
    tree.json("amal", "edit", made["id"], "--set", "location=بانياس")
    tree.json("amal", "sync")
    told = tree.json("branch", "server", "upstream", "sync")
    assert (told["up"]["commits"], told["digest"]) == (2, "equal")
    there = tree.json("hq", "show", made["id"])
    assert (there["code"], there["fields"]["location"]) == (made["code"], "بانياس")
    assert tree.json("hq", "quarantine", "list") == []


def test_the_nightly_sync_is_a_cron_line_without_systemd(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The crontab keeps its other lines and gets ours once, however often the command runs."""
    if Path("/run/systemd/system").is_dir():
        pytest.skip("systemd runs here")
    tools, table = tree.home / "bin", tree.home / "table"
    tools.mkdir()
    table.write_text("5 5 * * * other\n", encoding="utf-8")
    script = tools / "crontab"
    script.write_text(f'#!/bin/sh\n[ "$1" = -l ] && cat {table} || cat > {table}\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    invite = tree.json("hq", "server", "invite", "Jableh", "--role", "branch", "--unit", "LAT/JBL")["invite"]
    tree.json("branch", "server", "upstream", "set", invite)
    for at in ("01:30", "02:05"):
        told = tree.json("branch", "server", "upstream", "schedule", "--at", at)
        assert told["active"]
    lines = table.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "5 5 * * * other"
    assert len(lines) == 2
    assert lines[1].startswith("5 2 * * * FIELDSYNC_KEY_FILE=")
    assert f"--delay {branch_link.DELAY_MINUTES}" in lines[1]
    assert tree.json("branch", "server", "upstream", "schedule", "--at", "25:00", code=2)["error"]["code"] == "usage"
    branch = open_node(tree.home / "branch")
    assert branch_link.server_above(branch).name == "Office"
    branch.close()


def test_special_characters_in_paths_are_quoted_for_cron_and_systemd() -> None:
    """Spaces, quotes, percent signs and dollars in a path are read back unchanged by cron's shell and by systemd."""
    command = ["/opt/my tools/fieldsync", "--home", '/srv/50% of $it\'s "own"', "server", "upstream", "sync"]
    line = branch_link.cron_line(command, 2, 5, "/etc/key file")
    minute, hour, *_, run = line.split(" ", 5)
    assert (minute, hour) == ("5", "2")
    assert not re.search(r"(?<!\\)%", line)
    words = shlex.split(run.replace("\\%", "%"), comments=True)
    assert words == ["FIELDSYNC_KEY_FILE=/etc/key file", *command, "--delay", str(branch_link.DELAY_MINUTES)]
    text = branch_link.service_text(command, "/etc/key file")
    start = next(one for one in text.splitlines() if one.startswith("ExecStart=")).removeprefix("ExecStart=")
    assert [one.replace("%%", "%").replace("$$", "$") for one in shlex.split(start)] == command
    assert 'Environment="FIELDSYNC_KEY_FILE=/etc/key file"' in text
