"""The main job told in half a minute, on real processes: a server, three laptops, no line, a conflict, a decision.

Each step is this very program, run as a person would run it; what it must come to is checked, not only shown.
"""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer import Option

from fieldsync import errors
from fieldsync.commands import settings_of, tables, write_json
from fieldsync.commands.secrets import KEY_FILE, PASSPHRASE

UNIT, ROOT = "LAT/JBL", "LAT"
ROWS = 2_000
PEOPLE = (
    ("amal", "أمل", "caseworker", UNIT),
    ("basim", "باسم", "caseworker", UNIT),
    ("samar", "سمر", "supervisor", ROOT),
)
_START_SECONDS = 20
_OFFLINE = 6


class _NotAsToldError(Exception):
    """The story did not come out as it is told."""


class Story:
    """A folder with a server and laptops, and what each step cost."""

    def __init__(self, folder: Path, lang: str) -> None:
        self.folder = folder
        self.costs: list[dict[str, Any]] = []
        key = folder / "key"
        key.write_bytes(secrets.token_bytes(32))
        known = {name: value for name, value in os.environ.items() if name not in (PASSPHRASE, "FIELDSYNC_HOME")}
        self.environment = known | {KEY_FILE: str(key), "FIELDSYNC_LANG": lang, "PYTHONUTF8": "1"}
        self.listen = f"127.0.0.1:{self.port()}"

    def port(self, wanted: int = 0) -> int:
        """Return a port that nobody listens on: the one wanted, if it is free."""
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                return self.port()
            return int(probe.getsockname()[1])

    def run(self, who: str, *words: str, code: int = 0) -> Any:
        """Run one command on somebody's computer and return its JSON; any other exit code is not as told."""
        command = [*_program(), "--home", str(self.folder / who), "--json", *words]
        done = subprocess.run(  # noqa: S603 - this program itself
            command, env=self.environment, capture_output=True, text=True, encoding="utf-8", check=False
        )
        if done.returncode != code:
            raise _NotAsToldError(
                f"{' '.join(words[:2])}: {done.returncode} {done.stdout.strip()[:300]} {done.stderr.strip()[-300:]}"
            )
        return json.loads(done.stdout)

    def sync(self, who: str) -> dict[str, Any]:
        """Sync somebody's laptop and note what it cost."""
        told: dict[str, Any] = self.run(who, "sync")
        self.costs.append({"who": who, **told})
        return told

    def night(self, branch: str) -> dict[str, Any]:
        """Sync a branch with the server above it, and note what it cost."""
        told: dict[str, Any] = self.run(branch, "server", "upstream", "sync")
        self.costs.append({"who": branch, **told})
        return told

    @contextlib.contextmanager
    def server(self, name: str = "hq", listen: str = "") -> Iterator[None]:
        """A server as a process of its own, until it is told to stop; headquarters', unless another is named."""
        command = [*_program(), "--home", str(self.folder / name), "server", "run", "--listen", listen or self.listen]
        process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True, encoding="utf-8")  # noqa: S603 - this program itself
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            if "listening on" not in line:
                raise _NotAsToldError(line.strip())
            yield
        finally:
            process.terminate()
            try:
                process.wait(_START_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stderr.close()


def _program() -> list[str]:
    """How this program was called, to be called again."""
    called = Path(sys.argv[0])
    if called.suffix == ".py" and called.is_file():
        return [sys.executable, str(called.resolve())]
    return [sys.executable, "-m", "cli"]


def households() -> Path:
    """The invented households that come along: in the package first, in the checkout second."""
    here = Path(__file__).resolve()
    for folder in (here.parents[1], here.parents[2]):
        if (folder / "examples" / "households.csv").is_file():
            return folder / "examples" / "households.csv"
    raise errors.BadFile(file="examples/households.csv", reason="missing")


def demo(
    ctx: typer.Context,
    tree: Annotated[bool, Option("--tree", help="Branches, a move, a cut line and a USB stick instead.")] = False,
    office: Annotated[
        str | None,
        Option("--office", metavar="DIR", help="Build an invented office that stays, to try all commands on."),
    ] = None,
) -> None:
    """Tell the whole story in half a minute: offline work, a conflict, a supervisor's decision, equal stores.

    With --office it tells nothing, and builds an office with eight laptops and a year of work in a new folder instead.

    Example: fieldsync demo
    """
    if office is not None:
        from fieldsync.demo import example_office

        if tree:
            raise errors.Usage(reason="tree_or_office")
        try:
            example_office.build(ctx, Path(office).absolute())
        except _NotAsToldError as fault:
            _say_fault(ctx, fault)
        return
    settings = settings_of(ctx)
    out = tables(ctx)
    step = 0

    def tell(key: str, **facts: object) -> None:
        nonlocal step
        if not settings.json:
            step += "_step_" in key
            number = f"{step}. " if "_step_" in key else "   "
            for line in out.phrase(key, **facts).split("\n"):
                out.line(number + line)
                number = "   "
            sys.stdout.flush()

    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fieldsync-demo-", ignore_cleanup_errors=True) as folder:
        story = Story(Path(folder), settings.language)
        try:
            if tree:
                from fieldsync.demo.branch_story import tell_tree

                told = tell_tree(story, tell)
            else:
                told = _tell(story, tell)
        except _NotAsToldError as fault:
            _say_fault(ctx, fault)
    seconds = round(time.monotonic() - started, 1)
    if settings.json:
        write_json({"ok": True, "seconds": seconds, **told})
    else:
        out.costs(told["costs"])
        out.say("demo_end", seconds=seconds)


def _say_fault(ctx: typer.Context, fault: _NotAsToldError) -> NoReturn:
    if settings_of(ctx).json:
        write_json({"ok": False, "fault": str(fault)})
    else:
        tables(ctx).say("demo_bad", fault=fault)
    raise typer.Exit(1) from fault


def _tell(story: Story, tell: Any) -> dict[str, Any]:
    tell("demo_begin")
    made = story.run(
        "hq", "server", "init", "--org", "Social Affairs", "--unit", ROOT, "--address", f"https://{story.listen}"
    )
    tell("demo_step_office", fingerprint=made["fingerprint"])
    with story.server():
        for home, name, role, unit in PEOPLE:
            invite = story.run("hq", "server", "invite", name, "--role", role, "--unit", unit)["invite"]
            (story.folder / f"{home}.invite").write_text(invite, encoding="utf-8")
        together(lambda home: story.run(home, "join", str(story.folder / f"{home}.invite")), "amal", "basim", "samar")
        tell("demo_step_join")
    tell("demo_step_import")
    began = time.monotonic()
    imported = story.run("amal", "import", str(households()), "--type", "household")
    expect(imported["added"] == ROWS, "import")
    tell("demo_imported", n=f"{ROWS:,}", seconds=f"{time.monotonic() - began:.1f}")
    story.run("amal", "sync", code=_OFFLINE)
    with story.server():
        up = story.sync("amal")
        tell("demo_step_first", n=f"{up['up']['commits']:,}", each=round(up["up"]["bytes"] / ROWS))
        fetched = together(story.sync, "basim", "samar")
        expect(all(one["down"]["states"] == ROWS for one in fetched), "first sync")
        down = fetched[-1]["down"]
        tell("demo_fetched", n=f"{ROWS:,}", each=round(down["bytes"] / ROWS))
    found = story.run("amal", "find", "الخطيب", "--limit", "0")
    code = next(one["code"] for one in found if one["fields"]["location"] == "جبلة")
    tell("demo_step_offline", code=code)
    story.run("amal", "edit", code, "--set", "location=اللاذقية", "--note", "انتقلوا إلى الأقارب")
    story.run("basim", "edit", code, "--set", "location=طرطوس", "--set", "address=قرب الجامع الكبير")
    story.run("basim", "sync", code=_OFFLINE)
    tell("demo_offline")
    with story.server():
        for who in ("amal", "basim", "amal", "samar"):
            story.sync(who)
        _decide(story, tell, code)
        for who in ("samar", "amal", "basim", "samar"):
            story.sync(who)
        digests = _compare(story, tell, code)
        nothing = story.sync("amal")
    told: list[Any] = story.run("hq", "history", code)
    tell("demo_step_history", n=len(told))
    tell("demo_nothing", bytes=nothing["up"]["bytes"] + nothing["down"]["bytes"], requests=nothing["requests"])
    costs = [
        {"who": c["who"], "up": c["up"], "down": c["down"], "requests": c["requests"], "seconds": c["seconds"]}
        for c in story.costs
    ]
    return {"record": code, "digests": digests, "costs": costs}


def _decide(story: Story, tell: Any, code: str) -> None:
    """The supervisor finds both values, and takes one."""
    found = story.run("samar", "review", "list")
    expect(len(found) == 1 and found[0]["field"] == "location", f"one conflict, not {found}")
    heads = {head["value"]: head for head in found[0]["heads"]}
    expect(set(heads) == {"اللاذقية", "طرطوس"}, "both values")
    expect(story.run("amal", "show", code)["conflicts"] == ["location"], "the caseworker sees it")
    tell("demo_step_conflict", a="اللاذقية", b="طرطوس")
    chosen = heads["اللاذقية"]
    story.run(
        "samar",
        "review",
        "take",
        code,
        "location",
        "--head",
        f"{chosen['device']}:{chosen['seq']}",
        "--note",
        "اتصلنا بالأسرة",
    )
    tell("demo_step_decided", value="اللاذقية")


def _compare(story: Story, tell: Any, code: str) -> dict[str, str]:
    """Everybody shows the decision, nobody a conflict; headquarters is sound, and all digests are equal."""

    def look(who: str) -> str:
        shown = story.run(who, "show", code)
        expect(shown["fields"]["location"] == "اللاذقية" and not shown["conflicts"], f"{who}: the decision")
        expect(shown["fields"]["address"] == "قرب الجامع الكبير", f"{who}: the other field")
        expect(who != "hq" or story.run(who, "check")["ok"], "headquarters is sound")
        channels = {channel["unit"]: channel["digest"] for channel in story.run(who, "status")["channels"]}
        return str(channels.get(UNIT))

    everybody = ("hq", "amal", "basim", "samar")
    digests = dict(zip(everybody, together(look, *everybody), strict=True))
    expect(len(set(digests.values())) == 1, "equal digests")
    tell("demo_step_equal", unit=UNIT, digest=digests["hq"])
    return digests


def together(step: Callable[[str], Any], *people: str) -> list[Any]:
    """Do a step on several computers at once, as in life."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(step, people))


def expect(so: bool, what: str) -> None:
    """Stop the story where it does not come out as it is told."""
    if not so:
        raise _NotAsToldError(what)
