"""The full screens as people meet them: the real command in tmux at 80 by 24, in both languages."""

import time

from fieldsync.replica import form_drafts
from fieldsync.store.node_notes import FormDraft
from tests.cast import open_node
from tests.cli.conftest import World
from tests.cli.tmux import SECONDS, terminal


def _dispute(world: World, families: int) -> list[str]:
    """Families of which Amal and Basim wrote different places; Samar has both."""
    world.start()
    codes = [world.add("amal", "household", family_name="علي", location="جبلة")["code"] for _ in range(families)]
    for who in ("amal", "basim"):
        world.json(who, "sync")
    for code in codes:
        world.here("amal", "edit", code, "--set", "location=حمص")
        world.here("basim", "edit", code, "--set", "location=حماة")
    for who in ("amal", "basim", "samar"):
        world.json(who, "sync")
    return codes


def kept(world: World, field: str) -> None:
    """Wait until the draft of Amal's new family has an answer: it is kept every second, if the machine has time."""
    node = open_node(world.folder / "amal")
    deadline = time.monotonic() + SECONDS
    while field not in (form_drafts.load_draft(node, form_drafts.draft_key("household")) or FormDraft()).answers:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    node.close()


def test_a_supervisor_settles_what_is_open(world: World) -> None:
    """Take, undo, narrow, decide the rest alike, leave: what is left is said on the way out."""
    _dispute(world, 3)
    world.environment["FIELDSYNC_RTL"] = "plain"  # tmux shows what the program wrote
    with terminal(world) as screen:
        screen.start(*world.command("samar", "review"))
        screen.until("1 of 3", "Current place", "جبلة", "حمص", "حماة", "Amal", "Basim", "1-9 take")
        screen.press("1")
        screen.until("decided: 1")
        screen.press("u")
        screen.until("Undone")
        screen.press("2")
        screen.until("1 of 2")
        screen.press("f")
        screen.until("Field: Current place (2)")
        screen.type("field")
        screen.press("Enter")
        screen.until("⧩ Current place")
        screen.press("a")
        screen.until("by one rule")
        screen.press("Enter")
        screen.until("The newest value: 2 will be decided.")
        screen.press("Enter")
        screen.until("u undoes all of them")
        screen.press("u")
        screen.until("1 of 2")
        screen.resize(120, 30)
        screen.until("1 of 2")
        screen.press("q")
        screen.until("Decided: 1. Left open: 2.")
    assert len(world.json("samar", "review", "list")) == 2


def test_in_arabic_with_an_arabic_keyboard(world: World) -> None:
    """The same screen from the right; a note and a value typed in Arabic."""
    [code] = _dispute(world, 1)
    world.environment["FIELDSYNC_RTL"] = "plain"
    with terminal(world) as screen:
        screen.start(*world.command("samar", "--lang", "ar", "review"))
        screen.until("المراجعة   1 من 1")
        screen.type("ى")
        screen.until("ما السبب؟")
        screen.type("اتصلنا بهم")
        screen.press("Enter")
        screen.until("✎ اتصلنا بهم")
        screen.type("ث")
        screen.until("قبول")
        screen.type("بانياس")
        screen.press("Enter")
        screen.until("لا توجد تعارضات")
        screen.type("ض")
        screen.until("القرارات: 1")
    assert world.json("samar", "show", code)["fields"]["location"] == "بانياس"
    assert world.json("samar", "history", code)[-1]["note"] == "اتصلنا بهم"


def test_a_form_survives_a_power_cut(world: World) -> None:
    """Half a form is typed and the program killed; the next `add` offers it, and saving it is an ordinary save."""
    world.environment["FIELDSYNC_RTL"] = "plain"
    with terminal(world) as screen:
        screen.start(*world.command("amal", "add", "household"))
        screen.until("already registered?")
        screen.press("Enter")
        screen.until("In Arabic or Latin letters")  # the first question has the cursor
        screen.type("الأسعد")
        screen.press("Enter", "Tab", "Tab")
        screen.type("2099-01-01")
        screen.until("✗ lies in the future")
        screen.press("C-u")  # all of the line
        screen.until("First registered *")
        screen.type("٢٠٢٦-٠١-٠٥")
        screen.press("Enter")
        kept(world, "registered_on")
        screen.kill()
        screen.start(*world.command("amal", "add", "household"))
        screen.until("2 answers")
        screen.press("Enter")
        screen.until("2026-01-05")
        screen.press("C-s")
        screen.until("Still missing: Head of family")
    [made] = world.json("amal", "list", "household")
    assert (made["fields"]["family_name"], made["fields"]["registered_on"]) == ("الأسعد", "2026-01-05")


def test_a_form_in_arabic_left_with_what_was_typed(world: World) -> None:
    """Esc asks what becomes of it; kept, it is said how one gets it back, and the exit code is that of leaving."""
    world.environment["FIELDSYNC_RTL"] = "plain"
    code = world.add("amal", "household", family_name="علي", location="جبلة")["code"]
    with terminal(world) as screen:
        screen.start(*world.command("amal", "--lang", "ar", "edit", code))
        screen.until("بأحرف عربية أو لاتينية")
        screen.press("Tab", "Tab")
        screen.type("12")
        screen.press("Escape")
        screen.until("لم يُحفظ السجل بعد")
        screen.press("Enter")
        screen.until("ما كتبتَه محفوظ")
        screen.until("ended with 130")
    assert "family_book_no" not in world.json("amal", "show", code)["fields"]


def test_keys_pressed_twice_and_ctrl_c_in_a_question(world: World) -> None:
    """Esc and Enter pressed twice answer one question once; Ctrl-C in a question leaves the program with the draft kept."""
    world.environment["FIELDSYNC_RTL"] = "plain"
    with terminal(world) as screen:
        screen.start(*world.command("amal", "add", "household"))
        screen.until("already registered?")
        screen.press("Enter")
        screen.until("In Arabic or Latin letters")
        screen.type("الأسعد")
        screen.press("Enter", "Escape", "Escape", "Escape")
        screen.until("In Arabic or Latin letters")
        screen.press("C-c")
        screen.until("ended with 130")
        kept(world, "family_name")
        screen.start(*world.command("amal", "add", "household"))
        screen.until("1 answer")
        screen.press("C-c")
        screen.until("ended with 130")
        screen.start(*world.command("amal", "add", "household"))
        screen.until("1 answer")
        screen.press("Enter", "Enter", "Enter")
        screen.until("الأسعد")
        screen.press("C-c")
        screen.until("ended with 130")
    assert world.json("amal", "list", "household") == []
