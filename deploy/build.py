"""Build a release: the wheel, the source archive, the SBOM, checksums, and a folder that installs without a network.

    python -m deploy.build dist

Equal sources make equal files: their times are the date of the release in CHANGELOG.md, or SOURCE_DATE_EPOCH.
"""

import argparse
import calendar
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deploy import sbom
from fieldsync.core.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
RUNTIME_LOCK = ROOT / "requirements-runtime.lock"
INSTALLERS = ROOT / "deploy" / "installer"
_MARKER = re.compile(r" ; .*(?= \\$)", re.MULTILINE)
_LINUX = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 26, 24, 17)] + ["manylinux2014_x86_64"]


class Target(NamedTuple):
    """One system and Python for which wheels are collected, as pip names them."""

    system: str
    platforms: Sequence[str]
    python: str


TARGETS = [
    Target(system, platforms, python)
    for python in ("3.11", "3.12", "3.13", "3.14")
    for system, platforms in (
        ("Linux", _LINUX),
        ("Windows", ["win_amd64"]),
        ("macOS", ["macosx_15_0_arm64"]),  # cryptography has no wheels for Intel's any more
    )
]


def release_time(changelog: str) -> int:
    """Return the seconds since 1970 of midnight UTC on the newest release's day."""
    found = re.search(rf"^## \[{re.escape(VERSION)}\] - (\d{{4}}-\d{{2}}-\d{{2}})$", changelog, re.MULTILINE)
    if found is None:
        raise SystemExit(f"CHANGELOG.md has no release {VERSION} with a date.")
    return calendar.timegm(time.strptime(found[1], "%Y-%m-%d"))


def build_environment() -> dict[str, str]:
    """Return the environment in which equal sources make equal files."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or str(release_time((ROOT / "CHANGELOG.md").read_text("utf-8")))
    return {**os.environ, "SOURCE_DATE_EPOCH": epoch, "PYTHONHASHSEED": "0"}


def build_packages(out: Path) -> None:
    """Write the wheel and the source archive."""
    _run([sys.executable, "-m", "hatchling", "build", "-d", str(out)], build_environment())


def collect_wheels(folder: Path, target: Target) -> None:
    """Fetch the locked wheels of one system and Python; each is checked against its hash in the lock file."""
    with tempfile.TemporaryDirectory() as temporary:
        everything = Path(temporary) / "requirements.txt"
        # pip judges markers by the system on which it runs: fetch what any system needs
        everything.write_text(_MARKER.sub("", RUNTIME_LOCK.read_text("utf-8")), "utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--dest", str(folder), "--requirement", str(everything)]
        _run([*command, "--python-version", target.python, *_options("--platform", target.platforms)], os.environ)


def build_installer(out: Path, wheel: Path, targets: Sequence[Target]) -> Path:
    """Write a folder that installs the program without a network, for these targets."""
    folder = out / f"fieldsync-{VERSION}-offline"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "wheels").mkdir(parents=True)
    for target in targets:
        print(f"collecting wheels: {target.system}, Python {target.python}", flush=True)
        collect_wheels(folder / "wheels", target)
    shutil.copy2(wheel, folder / "wheels")
    shutil.copy2(RUNTIME_LOCK, folder / "requirements.txt")
    for script in INSTALLERS.iterdir():
        (folder / script.name).write_text(script.read_text("utf-8").replace("@VERSION@", VERSION), "utf-8")
        (folder / script.name).chmod(script.stat().st_mode)
    write_checksums(folder)
    return folder


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS of all files in a folder, as `sha256sum --check` reads it."""
    files = sorted(one for one in folder.rglob("*") if one.is_file() and one.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.relative_to(folder).as_posix()}\n" for one in files]
    (folder / "SHA256SUMS").write_text("".join(lines), "utf-8")


def _options(name: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (name, value)]


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


def main() -> None:
    """Build everything, or with --packages only what needs no network."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--packages", action="store_true", help="only the wheel, the source archive and the SBOM")
    chosen = arguments.parse_args()
    out = chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    build_packages(out)
    sbom.write_sbom(RUNTIME_LOCK, out / f"fieldsync-{VERSION}.cdx.json", int(build_environment()["SOURCE_DATE_EPOCH"]))
    if not chosen.packages:
        build_installer(out, out / f"fieldsync-{VERSION}-py3-none-any.whl", TARGETS)
    write_checksums(out)
    print(f"built in {out}")


if __name__ == "__main__":
    main()
