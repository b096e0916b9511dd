"""The example files of a national server: they parse, and have what docs/scale.md says of them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cast import ROOT

PAGE = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
PATRONI = yaml.safe_load((ROOT / "deploy/patroni.yml").read_text(encoding="utf-8"))
HAPROXY = (ROOT / "deploy/haproxy.cfg").read_text(encoding="utf-8")


def test_the_page_names_files_that_are_there() -> None:
    """Both, and no other."""
    named = set(re.findall(r"deploy/[\w.-]+", PAGE))
    assert named == {"deploy/patroni.yml", "deploy/haproxy.cfg"}
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_a_commit_waits_for_a_second_computer() -> None:
    """Strictly synchronous; there is an archive for a restore to any point in time; passwords are to be changed."""
    dcs = PATRONI["bootstrap"]["dcs"]
    assert (dcs["synchronous_mode"], dcs["synchronous_mode_strict"], dcs["synchronous_node_count"]) == (True, True, 1)
    assert (
        dcs["ttl"] >= dcs["loop_wait"] + 2 * dcs["retry_timeout"]
    )  # else Patroni replaces a primary that is only slow
    parameters = dcs["postgresql"]["parameters"]
    assert (parameters["archive_mode"], parameters["synchronous_commit"]) == ("always", "on")
    assert all(one["password"].startswith("CHANGE") for one in PATRONI["postgresql"]["authentication"].values())
    assert all(rule.startswith(("local", "hostssl")) for rule in PATRONI["postgresql"]["pg_hba"])


def test_names_and_ports_agree() -> None:
    """HAProxy asks each Patroni where it listens, and listens where the page's address says."""
    assert f"port {PATRONI['restapi']['listen'].rpartition(':')[2]} " in HAPROXY
    (listens,) = re.findall(r"bind (127\.0\.0\.1:\d+)", HAPROXY)
    assert f"@{listens}/fieldsync" in PAGE
    databases = re.findall(r"server (db\d) db\d\.example\.org:(\d+)", HAPROXY)
    assert [name for name, _ in databases] == ["db1", "db2", "db3"]
    assert {port for _, port in databases} == {PATRONI["postgresql"]["listen"].rpartition(":")[2]}
    hosts = ["db1.example.org:2379", "db2.example.org:2379", "db3.example.org:2379"]
    assert PATRONI["etcd3"]["hosts"] == hosts


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
def test_haproxy_takes_its_file(tmp_path: Path) -> None:
    """With this computer's addresses in place of names that nobody has."""
    file = tmp_path / "haproxy.cfg"
    file.write_text(re.sub(r"\b(db|fs)\d\.example\.org", "127.0.0.1", HAPROXY), encoding="utf-8")
    done = subprocess.run(["haproxy", "-c", "-f", file], capture_output=True, text=True, check=False)
    assert (done.returncode, "ALERT" in done.stderr, "WARNING" in done.stderr) == (0, False, False), done.stderr
