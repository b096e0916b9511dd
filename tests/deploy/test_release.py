"""A release is built equally twice, installs without a network, and says what it is made of."""

import configparser
import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy import build, sbom
from fieldsync.core.version import VERSION
from tests.cast import ROOT

THIS_MACHINE = build.Target("this machine", build._LINUX, f"{sys.version_info.major}.{sys.version_info.minor}")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    out = tmp_path_factory.mktemp("dist")
    build.build_packages(out)
    return out


@pytest.fixture(scope="module")
def offline(packages: Path) -> Path:
    """The offline installer, with wheels for this machine."""
    return build.build_installer(packages, packages / f"fieldsync-{VERSION}-py3-none-any.whl", [THIS_MACHINE])


def alone(home: Path) -> dict[str, str]:
    """An environment without a network for pip and uv, and without this checkout."""
    return {
        "PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "PIP_INDEX_URL": "https://index.invalid/",
        "UV_OFFLINE": "1", "UV_TOOL_DIR": str(home / "tools"), "UV_TOOL_BIN_DIR": str(home / "bin"), "PYTHON": sys.executable,
    }  # fmt: skip


def test_equal_sources_make_equal_files(packages: Path, tmp_path: Path) -> None:
    """A second build gives the same bytes: whoever doubts a release builds it again and compares."""
    build.build_packages(tmp_path)
    made = sorted(one.name for one in tmp_path.iterdir())
    assert made == [f"fieldsync-{VERSION}-py3-none-any.whl", f"fieldsync-{VERSION}.tar.gz"]
    for name in made:
        assert (tmp_path / name).read_bytes() == (packages / name).read_bytes()


def test_the_wheel_has_what_the_program_needs(packages: Path) -> None:
    """Forms, translations, manual pages; and no module that belongs to nobody."""
    with zipfile.ZipFile(packages / f"fieldsync-{VERSION}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        assert {"fieldsync/schemas/household.toml", "fieldsync/locale/ar/LC_MESSAGES/fieldsync.mo"} <= names
        assert f"fieldsync-{VERSION}.data/data/share/man/man1/fieldsync.1" in names
        assert {name.partition("/")[0] for name in names} == {
            "fieldsync", f"fieldsync-{VERSION}.dist-info", f"fieldsync-{VERSION}.data",
        }  # fmt: skip
        assert {one.date_time[:3] for one in wheel.infolist()} == {tuple(map(int, _released().split("-")))}


def _released() -> str:
    found = re.search(r"^## \[([0-9.]+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    assert found[1] == VERSION
    return found[2]


def test_the_offline_folder_installs_without_a_network(offline: Path, tmp_path: Path) -> None:
    """`install.sh` makes a program that runs; nothing is asked of an index."""
    target = tmp_path / "program"
    command = ["sh", str(offline / "install.sh"), str(target)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=alone(tmp_path), cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert f"fieldsync {VERSION}\n" in ended.stdout
    program = tmp_path / ".local" / "bin" / "fieldsync"
    home = tmp_path / "home"
    environment = {**alone(tmp_path), "FIELDSYNC_PASSPHRASE": "a passphrase of several words"}
    made = [
        str(program),
        "--home",
        str(home),
        "server",
        "init",
        "--org",
        "O",
        "--unit",
        "LAT",
        "--address",
        "https://127.0.0.1:1",
    ]
    for words in (made, [str(program), "--home", str(home), "--lang", "ar", "status"]):
        subprocess.run(words, check=True, capture_output=True, env=environment, cwd=tmp_path)


def test_the_wheel_installs_as_a_tool(offline: Path, tmp_path: Path) -> None:
    """As the README says: `uv tool install`, here from the offline folder's wheels."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "tool", "install", "--quiet", "--no-index", "--find-links", str(offline / "wheels")]
    command += ["--python", sys.executable, f"fieldsync[forms]=={VERSION}"]
    subprocess.run(command, check=True, env=alone(tmp_path), cwd=tmp_path)
    told = subprocess.run(
        [tmp_path / "bin" / "fieldsync", "--version"], check=True, capture_output=True, text=True, env=alone(tmp_path)
    )
    assert told.stdout == f"fieldsync {VERSION}\n"


def test_a_damaged_folder_is_not_installed(offline: Path, tmp_path: Path) -> None:
    """A wheel that was changed on the way, by a bad stick or by somebody, stops the installation."""
    wheel = next((offline / "wheels").glob("msgspec-*"))
    whole = wheel.read_bytes()
    try:
        wheel.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        command = ["sh", str(offline / "install.sh"), str(tmp_path / "program")]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, env=alone(tmp_path))
    finally:
        wheel.write_bytes(whole)
    assert ended.returncode == 1
    assert "This folder is damaged: copy it again." in ended.stderr
    assert not (tmp_path / "program").exists()


def test_every_system_has_an_installer_and_a_place_in_it() -> None:
    """Three systems and every supported Python; the scripts name the release."""
    assert {target.system for target in build.TARGETS} == {"Linux", "Windows", "macOS"}
    classified = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert sorted({target.python for target in build.TARGETS}) == classified
    for name in ("install.sh", "install.ps1", "README.txt"):
        assert "@VERSION@" in (build.INSTALLERS / name).read_text("utf-8")


def test_the_sbom_names_all_that_is_installed(tmp_path: Path) -> None:
    """Each locked package with its version and hashes; made twice it is the same."""
    for name in ("a", "b"):
        sbom.write_sbom(build.RUNTIME_LOCK, tmp_path / name, 1_700_000_000)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    document = json.loads((tmp_path / "a").read_text("utf-8"))
    locked = re.findall(r"^([\w.-]+)==([^\s;]+)", build.RUNTIME_LOCK.read_text("utf-8"), re.MULTILINE)
    assert sorted((one["name"], one["version"]) for one in document["components"]) == sorted(locked)
    assert all(one["hashes"] for one in document["components"])
    assert document["metadata"]["component"]["version"] == VERSION


def test_the_locks_agree() -> None:
    """What is installed to run is what was tested; test tools are not in it."""
    tested = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE))
    run = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", build.RUNTIME_LOCK.read_text("utf-8"), re.MULTILINE))
    assert run.items() <= tested.items()
    assert "sqlcipher3" in run
    assert "pytest" not in run


def test_the_systemd_unit_runs_a_command_that_exists() -> None:
    """Its ExecStart is one of ours, as the service's own user, with the passphrase handed over by systemd."""
    unit = configparser.RawConfigParser(strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(ROOT / "deploy" / "fieldsync.service", encoding="utf-8")
    service = unit["Service"]
    words = shlex.split(service["ExecStart"])
    assert words[:3] == ["/opt/fieldsync/bin/fieldsync", "--passphrase-file", "%d/passphrase"]
    assert service["LoadCredential"] == "passphrase:/etc/fieldsync/passphrase"
    assert (service["User"], service["StateDirectory"], service["Environment"]) == (
        "fieldsync", "fieldsync", "FIELDSYNC_HOME=/var/lib/fieldsync",
    )  # fmt: skip
    _check_server_words(words[3:])


def _check_server_words(words: list[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "fieldsync", *words, "--help"], check=True, capture_output=True, text=True
    )
    assert "Usage: fieldsync server run" in told.stdout


def test_the_container_copies_what_exists_and_runs_the_server() -> None:
    """Each instruction is one that builders know; the copied files are those of `make dist`; it runs as nobody of importance."""
    text = (ROOT / "deploy" / "Containerfile").read_text("utf-8").replace("\\\n", "")
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    instructions = [(name, rest) for name, _, rest in lines]
    known = {"FROM", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions} <= known
    given = dict(instructions)
    assert given["USER"] == "10001"
    assert given["COPY"].split()[:-1] == ["requirements-runtime.lock", "dist/fieldsync-*.whl"]
    entry, words = json.loads(given["ENTRYPOINT"]), json.loads(given["CMD"])
    assert entry == ["fieldsync", "--passphrase-file", "/run/secrets/passphrase"]
    _check_server_words(words)
    check = json.loads(given["HEALTHCHECK"].partition("CMD ")[2])
    compile(check[2], "HEALTHCHECK", "exec")


def test_the_hosts_workflow_covers_systems_and_versions() -> None:
    """The file for whoever hosts the project names three systems, and the Pythons of pyproject.toml."""
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    assert "os: [ubuntu-latest, windows-latest, macos-latest]" in text
    classified = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert f"python: [{', '.join(f'{chr(34)}{one}{chr(34)}' for one in classified)}]" in text
