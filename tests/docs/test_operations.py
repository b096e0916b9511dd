"""docs/operations.md and docs/operations.ar.md, played: their commands run in a shell, against a real server and real laptops, and print what the page says.

Each `##` section is a test; they go on from one another, as the page does. A `sh` block runs as it stands, with the page's folders below
a folder of the test and its address on this computer; the `text` block behind it is what it prints, `…` standing for anything. A comment
above it says where: on a laptop, with a wrong clock, or that the command fails (`!`). Of a `console` block, which needs root, those
lines are played that can be: starting and stopping the service, and work on folders.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync.demo.story_runner import free_port
from fieldsync.server.http_server import STOP_SECONDS as STOP_SECONDS_OF_SERVER
from tests.cast import ROOT, SECRET
from tests.cli.conftest import STOP_SECONDS
from tests.pages import Block, blocks, check_printed

PAGES = {lang: (ROOT / page).read_text("utf-8") for lang, page in (("en", "docs/operations.md"), ("ar", "docs/operations.ar.md"))}
PAGE = PAGES["en"]
SECTIONS = {lang: re.findall(r"^## (.+)$", page, re.MULTILINE) for lang, page in PAGES.items()}
_FOLDERS = re.compile(r"(?<![\w.>/~-])/(opt|etc|var|srv|mnt)(?=/|\b)")
_RECOVERY = "QYCK-6ORB-BAFX-XPEN-HFHP-DWMJ-NOVK-2GTA"
_ADDRESS = "fs.example.org:8443"
_UNPLAYED = (
    "useradd", "runuser", "cp deploy", "systemctl daemon-reload", "systemctl edit", "systemctl enable --now fieldsync-upstream.timer",
    "journalctl", "ufw", "podman", "make", "timedatectl",
)  # fmt: skip
_INSTALLED = ("python3 -m venv", "/opt/fieldsync/bin/pip")
_ELSEWHERE = {"laptop", "laptop2", "branch"}
_DISK_MB, _LEFT_KB = 200, 8  # with less than 64 MB free a server is not ready
_TOOLS = ("bash", "curl", "openssl")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not all(map(shutil.which, _TOOLS)), reason="Linux, curl and openssl"
)


def _blocks(lang: str, title: str) -> list[Block]:
    translated = SECTIONS[lang][SECTIONS["en"].index(title)]
    section = PAGES[lang].partition(f"\n## {translated}\n")[2]
    return blocks(re.split(r"^## ", section, maxsplit=1, flags=re.MULTILINE)[0])


class Operator:
    """Somebody who types the page's commands on a server and on laptops."""

    def __init__(self, folder: Path, lang: str) -> None:
        self.folder = folder
        self.lang = lang
        self.port = free_port()
        self.recovery = self.fingerprint = ""
        self.small_disk = False
        self._server: subprocess.Popen[str] | None = None
        for name in ("opt/fieldsync/bin", "etc", "var/lib", "srv", "mnt/disk2"):
            (folder / name).mkdir(parents=True)
        (folder / "key").write_bytes(SECRET)
        known = {
            name: value for name, value in os.environ.items() if not name.startswith(("FIELDSYNC_", "LC_", "LANG"))
        }
        self.environment = known | {
            "FIELDSYNC_KEY_FILE": str(folder / "key"), "FIELDSYNC_LANG": lang, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "TZ": "UTC",
            "LANG": "C.UTF-8",
        }  # fmt: skip

    def mount(self) -> None:
        """Put the server on a small disk, where that is allowed."""
        place = self.folder / "var"
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(place)], capture_output=True, check=False
        )
        self.small_disk = made.returncode == 0
        (place / "lib").mkdir(exist_ok=True)

    def fill_disk(self) -> None:
        """Leave next to nothing free on the server's disk."""
        place = self.folder / "var"
        (place / "big.iso").write_bytes(bytes(shutil.disk_usage(place).free - _LEFT_KB * 1024))

    def install(self) -> None:
        """Put the program where the page installs it: this checkout's."""
        program = self.folder / "opt/fieldsync/bin/fieldsync"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fieldsync "$@"\n', "utf-8")
        program.chmod(0o755)

    def here(self, text: str) -> str:
        """Return the page's text with the test's folders, address and recovery key."""
        text = _FOLDERS.sub(lambda found: f"{self.folder}/{found[1]}", text)
        text = re.sub(rf"(?:{re.escape(_ADDRESS)}|127\.0\.0\.1:8443)", f"127.0.0.1:{self.port}", text)
        return text.replace(_RECOVERY, self.recovery)

    def there(self, text: str) -> str:
        """Return what was printed as on the page."""
        return text.replace(str(self.folder), "").replace(f"https://127.0.0.1:{self.port}", f"https://{_ADDRESS}")

    def type(self, block: Block) -> str:
        """Run a block's lines in one shell and return what it prints; with `!` its last command fails."""
        script, environment = self.here("\n".join(block.lines)), dict(self.environment)
        for word in block.words:
            if word in _ELSEWHERE:
                environment["FIELDSYNC_HOME"] = str(self.folder / word)
                environment["PATH"] = f"{self.folder}/opt/fieldsync/bin:{environment['PATH']}"
        if "clock" in block.words:
            script = re.sub(r"^fieldsync", "faketime -f +45m fieldsync", script, flags=re.MULTILINE)
        command = ["bash", "-e", "-u", "-o", "pipefail", "-c", f"{script}\nenv -0 > '{self.folder}/environment'"]
        done = subprocess.run(
            command,
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == bool({"!", "clock"} & {*block.words}), (script, said)
        if done.returncode == 0 and not _ELSEWHERE & {*block.words}:
            told = (self.folder / "environment").read_text("utf-8").split("\0")
            self.environment = dict(
                one.partition("=")[::2] for one in told if "=" in one and not one.startswith("BASH_FUNC")
            )
        return self.there(said)

    def note(self, said: str) -> None:
        """Write down what headquarters' `server init` shows once."""
        shown = re.search(r": ([0-9A-F ]{39})\n.*: ((?:\w{4}-){7}\w{4})$", said)
        if shown is not None and not self.recovery:
            self.fingerprint, self.recovery = shown[1].replace(" ", ""), shown[2]

    def administer(self, line: str) -> None:
        """Do what a line that needs root says, as far as a test can."""
        if line.startswith(_INSTALLED):
            self.install()
        elif line in ("systemctl enable --now fieldsync", "systemctl start fieldsync"):
            self.start()
        elif line == "systemctl stop fieldsync":
            self.stop()
        elif line == "systemctl restart fieldsync":
            self.stop()
            self.start()
        elif not line.startswith(_UNPLAYED):
            words = self.here(line.replace("-o fieldsync -g fieldsync ", ""))
            subprocess.run(
                ["bash", "-e", "-c", words],
                input="the passphrase\n",
                text=True,
                check=True,
                cwd=self.folder,
                timeout=60,
            )

    def start(self) -> None:
        """Start the service, as the unit file does, and wait until it listens."""
        command = ["fieldsync", "server", "run", "--listen", f"127.0.0.1:{self.port}"]
        self._server = subprocess.Popen(
            [f"{self.folder}/opt/fieldsync/bin/{command[0]}", *command[1:]],
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._server.stderr is not None
        line = self._server.stderr.readline()
        assert line.startswith("listening on"), line + self._server.stderr.read()

    def stop(self) -> None:
        """Stop the service, as a service manager does."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGTERM)
        assert self._server.wait(STOP_SECONDS) == 0
        assert self._server.stderr is not None
        self._server.stderr.close()
        self._server = None

    def end(self) -> None:
        """Stop what runs and give the disk back."""
        self.stop()
        if self.small_disk:
            subprocess.run(["umount", "-l", str(self.folder / "var")], check=True)


@pytest.fixture(scope="module", params=["en", pytest.param("ar", marks=pytest.mark.long)])
def operator(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Operator]:
    """Return somebody at a server that is not installed yet, who reads the page in one of its languages."""
    made = Operator(tmp_path_factory.mktemp("operations"), request.param)
    made.mount()
    yield made
    made.end()


@pytest.mark.parametrize("title", SECTIONS["en"])
def test_a_section_is_played(operator: Operator, title: str) -> None:
    """Its commands succeed, one after the other, and print what stands below them."""
    if title == "A wrong clock" and shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    if title == "A full disk":
        if not operator.small_disk:
            pytest.skip("may not mount a small disk here")
        operator.fill_disk()
    if title == "A wrong clock":
        operator.type(Block("sh", ["laptop2", "clock"], ["fieldsync sync || true", "false"]))
    said = ""
    for block in _blocks(operator.lang, title):
        if block.kind == "sh":
            said = operator.type(block)
            operator.note(said)
        elif block.kind == "text":
            check_printed(said, block.lines)
            if "sha256 Fingerprint=" in said:
                assert said.partition("=")[2].replace(":", "").startswith(operator.fingerprint)
        elif block.kind == "console":
            for line in block.lines:
                operator.administer(line.removeprefix("# "))


def test_metrics_that_the_page_names_are_there(operator: Operator) -> None:
    """Each metric of the table of alarms is one that the server told."""
    said = operator.type(Block("sh", [], ["curl --silent --insecure https://127.0.0.1:8443/metrics"]))
    named = set(re.findall(r"fieldsync_[a-z_]*[a-z](?=[`{ ])", PAGES[operator.lang]))
    assert len(named) > 6
    assert {name for name in named if name not in said} == set()


@pytest.mark.parametrize("lang", PAGES)
def test_the_table_of_contents_names_every_section(lang: str) -> None:
    """In the order of the page."""
    listed = re.findall(r"\[([^\]]+)\]\(#([\w-]+)\)", PAGES[lang].partition("\n## ")[0])
    slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in SECTIONS[lang]]
    assert [slug for _, slug in listed] == slugs


def test_the_page_s_troubles_are_told_so() -> None:
    """What a table says that the program says is in its English sentences."""
    told = "".join(file.read_text("utf-8") for file in sorted((ROOT / "fieldsync/ui/words_en").glob("*.py")))
    tables = re.findall(r"^\| it says \| do \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    phrases = re.findall(r"^\| `([^`]+)` \|", "".join(tables), re.MULTILINE)
    assert len(phrases) > 5
    assert [phrase for phrase in phrases if phrase not in told] == []


def test_what_the_arabic_page_quotes_is_in_the_catalogue() -> None:
    """Each Arabic phrase in backquotes is part of a sentence that the program prints."""
    catalogue = (ROOT / "fieldsync/locale/ar/LC_MESSAGES/fieldsync.po").read_text("utf-8").replace('"\n"', "")
    prose = re.sub(r"^```.*?^```$", "", PAGES["ar"], flags=re.DOTALL | re.MULTILINE)
    phrases = [one for one in re.findall(r"`([^`\n]+)`", prose) if re.search(r"[\u0621-\u064a]", one)]
    assert len(phrases) > 10
    assert [one for one in phrases if not all(part.strip() in catalogue for part in one.split("…"))] == []


def test_the_page_and_the_service_files_agree() -> None:
    """The unit and the container use the folders, the port and the passphrase's file that the page sets up."""
    unit = (ROOT / "deploy/fieldsync.service").read_text("utf-8")
    container = (ROOT / "deploy/Containerfile").read_text("utf-8")
    for name in ("/opt/fieldsync", "FIELDSYNC_HOME=/var/lib/fieldsync", "8443"):
        assert name in PAGE
        assert name in unit
        assert name in container
    upstream = (ROOT / "deploy/fieldsync-upstream.service").read_text("utf-8")
    for name in ("User", "Group", "StateDirectory", "Environment", "LoadCredential"):
        assert re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE) == re.findall(
            rf"^{name}=(.*)$", upstream, re.MULTILINE
        )
    assert re.findall(r"LoadCredential=\w+:(\S+)", unit) == ["/etc/fieldsync/passphrase"]
    assert "/etc/fieldsync/passphrase" in PAGE
    assert "--passphrase-file /run/secrets/passphrase" in PAGE
    assert '"--passphrase-file", "/run/secrets/passphrase"' in container
    assert f"systemctl stop fieldsync` takes up to {STOP_SECONDS_OF_SERVER} seconds" in PAGE
    assert int(*re.findall(r"TimeoutStopSec=(\d+)", unit)) > STOP_SECONDS_OF_SERVER
