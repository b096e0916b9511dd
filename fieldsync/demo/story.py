"""The main story, in half a minute, on real processes: a server, three laptops, no connection, a conflict, a decision.

Each step runs this program as a user would, and its outcome is verified, not only shown.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from msgspec import structs
from typer import Option

from fieldsync import errors
from fieldsync.commands import settings_of, tables, write_json
from fieldsync.commands.support.settings import at_terminal, draws
from fieldsync.demo import results
from fieldsync.demo.results import StoryFailed, StoryTold, TreeTold
from fieldsync.demo.story_runner import Story, _NotAsToldError, expect, households, together

UNIT, ROOT = "LAT/JBL", "LAT"
ROWS = 2_000
PEOPLE = (
    ("amal", "أمل", "caseworker", UNIT),
    ("basim", "باسم", "caseworker", UNIT),
    ("samar", "سمر", "supervisor", ROOT),
)
_OFFLINE = 6


def demo(
    ctx: typer.Context,
    tree: Annotated[
        bool, Option("--tree", help="Play the story of branches, a move, a lost connection and a USB stick instead.")
    ] = False,
    office: Annotated[
        str | None,
        Option("--office", metavar="DIR", help="Build a permanent example office to try all commands on."),
    ] = None,
) -> None:
    """Play the whole story in half a minute: offline work, a conflict, a supervisor's decision, equal stores.

    With --office it builds an office with eight laptops and a year of work in a new folder instead.

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
    told: StoryTold | TreeTold
    with tempfile.TemporaryDirectory(prefix="fieldsync-demo-", ignore_cleanup_errors=True) as folder:
        story = Story(Path(folder), settings.language)
        try:
            if tree:
                from fieldsync.demo.branch_story import tell_tree

                told = tell_tree(story, tell)
            else:
                told = _play_story(story, tell, lambda: _show_review(ctx, story, tell))
        except _NotAsToldError as fault:
            _say_fault(ctx, fault)
    seconds = round(time.monotonic() - started, 1)
    if settings.json:
        write_json(structs.replace(told, seconds=seconds))
    else:
        results.show_costs(out, told.costs)
        out.say("demo_end", seconds=seconds)


def _say_fault(ctx: typer.Context, fault: _NotAsToldError) -> NoReturn:
    if settings_of(ctx).json:
        write_json(StoryFailed(ok=False, fault=str(fault)))
    else:
        tables(ctx).say("demo_bad", fault=fault)
    raise typer.Exit(1) from fault


def _show_review(ctx: typer.Context, story: Story, tell: Any) -> None:
    """Show the supervisor's screen at work, where there is a terminal to draw it on."""
    settings = settings_of(ctx)
    if settings.json or settings.plain or not (at_terminal() and sys.stdout.isatty() and draws()):
        return
    from fieldsync.demo import review_player

    if review_player.is_large_enough():
        review_player.play_review(tables(ctx), story.folder / "samar", (story.folder / "key").read_bytes())
        tell("demo_review_shown")


def _play_story(story: Story, tell: Any, show_review: Callable[[], None]) -> StoryTold:
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
        _decide(story, tell, code, show_review)
        for who in ("samar", "amal", "basim", "samar"):
            story.sync(who)
        digests = _compare(story, tell, code)
        nothing = story.sync("amal")
    told: list[Any] = story.run("hq", "history", code)
    tell("demo_step_history", n=len(told))
    tell("demo_nothing", bytes=nothing["up"]["bytes"] + nothing["down"]["bytes"], requests=nothing["requests"])
    return StoryTold(ok=True, seconds=0, record=code, digests=digests, costs=story.costs)


def _decide(story: Story, tell: Any, code: str, show_review: Callable[[], None]) -> None:
    """The supervisor finds both values, looks at them on the screen, and takes one."""
    found = story.run("samar", "review", "list")
    expect(len(found) == 1 and found[0]["field"] == "location", f"one conflict, not {found}")
    heads = {head["value"]: head for head in found[0]["heads"]}
    expect(set(heads) == {"اللاذقية", "طرطوس"}, "both values")
    expect(story.run("amal", "show", code)["conflicts"] == ["location"], "the caseworker sees it")
    tell("demo_step_conflict", a="اللاذقية", b="طرطوس")
    show_review()
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
