"""Terminal output: no byte of a record acts on the terminal, markup stays text, Arabic cells are isolated."""

import codecs
import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from fieldsync.topology.sync_results import Fetched, Sent, Synced
from fieldsync.ui.terminal.bidi import form_for
from fieldsync.ui.terminal.output import ProgressBar
from fieldsync.ui.views.tables import Tables
from tests.cli.conftest import World

EVIL = "قرب \x1b[31mأحمر\x1b]0;x\x07 \u202eevil\u2066 [bold]m[/bold] \u200f\u200b{x}"
ROWS, COLUMNS = 24, 80
SECONDS = 60  # a busy machine takes its time


@pytest.mark.parametrize("command", ["show", "history", "list", "find", "review"])
def test_text_from_records_never_acts(world: World, command: str) -> None:
    """Names with escapes, overrides and markup, in every command that shows them, in every form of Arabic."""
    made = world.add("amal", "household", family_name="حسن", address=EVIL, location="[red]x[/red]")
    words = {
        "show": [made["code"]],
        "history": [made["code"]],
        "list": ["household"],
        "find": ["حسن"],
        "review": ["list"],
    }[command]
    world.environment |= {"TERM": "dumb", "COLUMNS": "400"}
    for form in ("plain", "isolates", "marks", "visual"):
        world.environment["FIELDSYNC_RTL"] = form
        said = world.here("amal", command, *words, screen=True)
        assert said.code == 0
        found = set(re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f]", said.out))
        assert found <= {"isolates": {"\u2066", "\u2068", "\u2069"}, "marks": {"\u200e"}}.get(form, set())
        assert "⟨U+2068⟩" not in said.out
        if command in ("show", "list"):
            assert "[red]x[/red]" in said.out


def test_each_terminal_gets_its_text_direction() -> None:
    """As observed in real terminals; a pipe gets plain text whatever the terminal is."""
    assert form_for({"VTE_VERSION": "7006"}, tty=True) == "isolates"
    assert form_for({"VTE_VERSION": "7006"}, tty=False) == "plain"
    assert form_for({"VTE_VERSION": "5202"}, tty=True) == "visual"
    assert form_for({"VTE_VERSION": "7006", "TMUX": "x"}, tty=True) == "visual"
    assert form_for({"TERM": "mlterm"}, tty=True) == "marks"
    assert form_for({"KONSOLE_VERSION": "220401"}, tty=True) == "marks"
    assert form_for({"TERM": "xterm"}, tty=True) == "visual"
    assert form_for({"FIELDSYNC_RTL": "marks"}, tty=True) == "marks"
    assert (
        form_for({"FIELDSYNC_RTL": "visual"}, tty=False, asked="visual") == "plain"
    )  # a file keeps its letters in order
    assert form_for({"TERM": "xterm"}, tty=True, asked="logical") == "isolates"
    assert form_for({"FIELDSYNC_RTL": "marks"}, tty=True, asked="plain") == "plain"


class Talk:
    """A person at a terminal of 80 columns."""

    def __init__(self, world: World, who: str, *words: str, **environment: str) -> None:
        self._mine, theirs = pty.openpty()
        settings = {"TERM": "xterm", "COLUMNS": str(COLUMNS), "LINES": str(ROWS), "FIELDSYNC_RTL": "plain"}
        self._process = subprocess.Popen(
            world.command(who, *words), env=world.environment | settings | environment, cwd=world.folder, stdin=theirs, stdout=theirs,
            stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a letter may come in two pieces
        self.seen = ""
        self._read = 0

    def until(self, text: str) -> str:
        """Wait until a text shows; return what came since the last one."""
        deadline = time.monotonic() + SECONDS
        while text not in self.seen[self._read :]:
            assert time.monotonic() < deadline, f"no {text!r} in {self.seen[self._read :]!r}"
            if select.select([self._mine], [], [], 0.2)[0]:
                try:
                    self.seen += self._decoder.decode(os.read(self._mine, 65_536))
                except OSError:
                    assert text in self.seen[self._read :], f"no {text!r} in {self.seen[self._read :]!r}"
        start, self._read = self._read, self.seen.index(text, self._read) + len(text)
        return self.seen[start : self._read]

    def answer(self, prompt: str, given: str) -> str:
        """Wait for a prompt and answer it."""
        seen = self.until(prompt)
        os.write(self._mine, (given + "\n").encode())
        return seen

    def interrupted(self) -> int:
        """Press Ctrl-C, again where the line editor was not listening yet; return the exit code."""
        while self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)
        return self.end()

    def end(self) -> int:
        """Wait for the end, all read, and return the exit code."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            over = self._process.poll() is not None
            if select.select([self._mine], [], [], 0.1)[0]:
                try:
                    self.seen += self._decoder.decode(os.read(self._mine, 65_536))
                except OSError:  # nobody is at the other end any more
                    break
            elif over:
                break
        code = self._process.wait(SECONDS)
        os.close(self._mine)
        return code


@pytest.mark.parametrize("form", ["isolates", "visual"])
def test_choices_for_a_word_of_a_file_are_readable(world: World, form: str) -> None:
    """Choices in Arabic are offered with their numbers, without the names of signs that keep them apart."""
    path = world.folder / "words.csv"
    path.write_text("family_name,housing\nحسن,مستأجر\n", "utf-8")
    talk = Talk(world, "amal", "--lang", "ar", "import", str(path), "--type", "household", FIELDSYNC_RTL=form)
    talk.answer("Enter", "")
    assert "U+2068" not in talk.answer("Enter", "2")
    assert talk.end() == 0
    assert [one["fields"]["housing"] for one in world.json("amal", "list", "household")] == ["rented"]


def test_the_line_form_validates_and_goes_back(world: World) -> None:
    """Choices by number and by word, a wrong value refused at once, a condition that opens a question, a way back."""
    talk = Talk(world, "amal", "add", "household", "--plain")
    talk.answer("go on to the form): ", "")
    talk.answer("Family name *: ", "123")
    talk.answer("✗ not written as it should be (In Arabic or Latin letters)", "محمد أحمد")
    talk.answer("Head of family *: ", "")
    talk.answer("Family booklet no.: ", "12-34")
    talk.answer("First registered *: ", "<")
    talk.answer("Family booklet no. [12-34]: ", "")
    talk.answer("First registered *: ", "2099-01-01")
    talk.answer("✗ lies in the future", "٢٠٢٦-٠١-٠٥")
    talk.answer("Current place *: ", "جبلة")
    talk.answer("Place of origin: ", "")
    talk.answer("Address or landmark: ", "")
    talk.answer("GPS: ", "?")
    talk.answer("GPS: ", "")
    talk.answer("Phones (several, with commas): ", "0944123456، 0933111222")
    talk.answer("Displacement status *: ", "2")
    talk.answer("Groups (several, with commas): ", "orphan, 7")
    talk.answer("Housing: ", "خيمة")
    talk.answer("Damage: ", "")
    talk.answer("Monthly income: ", "450000")
    talk.answer("Currency of the income *: ", "1")
    talk.answer("Income sources (several, with commas): ", ".")
    talk.until("Still missing: Head of family")
    assert talk.end() == 0
    [made] = world.json("amal", "list", "household")
    assert made["fields"] == {
        "state": "draft", "family_name": "محمد أحمد", "family_book_no": "12-34", "registered_on": "2026-01-05", "location": "جبلة",
        "phones": ["+963933111222", "+963944123456"], "displacement": "idp", "groups": ["homeless", "orphan"], "housing": "tent",
        "income_monthly": 450000, "income_currency": "syp",
    }  # fmt: skip


def test_a_stale_form_reverts_nothing(world: World) -> None:
    """While Amal's form is open, a sync brings Basim's address; her saving keeps it."""
    code = world.add("amal", "household", family_name="علي", address="القديم")["code"]
    world.start()
    for who in ("amal", "basim"):
        world.json(who, "sync")
    world.json("basim", "edit", code, "--set", "address=الجديد")
    world.json("basim", "sync")
    talk = Talk(world, "amal", "edit", code, "--plain")
    talk.until("Family name * [علي]: ")
    world.json("amal", "sync")
    talk._read = 0
    talk.answer("Family name * [علي]: ", "حسن")
    talk.answer("Head of family *: ", ".")
    assert talk.end() == 0
    fields = world.json("amal", "show", code)["fields"]
    assert (fields["family_name"], fields["address"]) == ("حسن", "الجديد")


def test_leaving_a_form_saves_nothing(world: World) -> None:
    """Ctrl-C is exit 130, with a line that nothing was saved."""
    talk = Talk(world, "amal", "add", "household", "--plain", "--lang", "ar")
    talk.answer("إلى الاستمارة): ", "")
    talk.answer("اسم العائلة *: ", "علي")
    talk.until("رب الأسرة *: ")
    assert talk.interrupted() == 130
    assert "Traceback" not in talk.seen
    assert "رب الأسرة *: ^C\nأُلغي الإدخال؛ لم يُحفظ شيء.\n" in talk.seen.replace("\r", "").replace(": \n", ": ^C\n")
    assert world.json("amal", "list", "household") == []


def test_a_dumb_terminal_gets_the_line_form(world: World) -> None:
    """An editor's shell declares itself dumb: a full screen would be garbled."""
    talk = Talk(world, "amal", "add", "household", TERM="dumb")
    talk.answer("go on to the form): ", "")
    talk.answer("Family name *: ", "علي")
    talk.answer("Head of family *: ", ".")
    assert talk.end() == 0
    assert "\x1b[" not in talk.seen.replace("\x1b[?2004", "")  # the line editor's own
    world.start()
    world.json("samar", "sync")
    review = Talk(world, "samar", "review", TERM="dumb")
    review.until("No conflicts.")
    assert review.end() == 0


def test_a_supervisor_decides_at_the_terminal(world: World) -> None:
    """Take one, undo it, type another with a note, skip, quit: three conflicts, on 80 columns."""
    world.start()
    codes = [world.add("amal", "household", family_name="علي", location="جبلة")["code"] for _ in range(3)]
    for who in ("amal", "basim"):
        world.json(who, "sync")
    for code in codes:
        world.here("amal", "edit", code, "--set", "location=حمص")
        world.here("basim", "edit", code, "--set", "location=حماة")
    for who in ("amal", "basim", "samar"):
        world.json(who, "sync")
    keys = "q quit: "
    talk = Talk(world, "samar", "review", "--plain")
    shown = talk.answer(keys, "1")
    assert "1 of 3" in shown
    assert all(word in shown for word in ("Current place", "جبلة", "حمص", "حماة", "Amal", "Basim"))
    assert max(len(line) for line in re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown).splitlines()) <= COLUMNS
    talk.answer("2 of 3", "")
    talk.answer(keys, "u")
    talk.until("Undone.")
    talk.answer(keys, "n")
    talk.answer("Note: ", "اتصلنا بهم")
    talk.answer(keys, "t")
    talk.answer("The right value: ", "بانياس")
    talk.until("2 of 3")
    talk.answer(keys, "s")
    talk.until("3 of 3")
    talk.answer(keys, "q")
    talk.until("Decided: 1. Left open: 2.")
    assert talk.end() == 0
    first = world.json("samar", "review", "list")
    assert len(first) == 2
    decided = next(code for code in codes if code not in {item["code"] for item in first})
    assert world.json("samar", "show", decided)["fields"]["location"] == "بانياس"
    assert world.json("samar", "history", decided)[-1]["note"] == "اتصلنا بهم"


def test_review_is_refused_without_the_right_to_decide(world: World) -> None:
    """A caseworker's review is refused before the first question."""
    talk = Talk(world, "amal", "review")
    talk.until("may not do this")
    assert talk.end() == 7


def test_a_passphrase_is_asked_for_and_not_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is asked, three times if it is wrong; typed characters are not shown."""
    talk = Talk(world, "amal", "status", FIELDSYNC_KEY_FILE="")
    talk.answer("Passphrase: ", "not the right one")
    for left in (2, 1):
        talk.until(f"(tries left: {left}).")
        talk.answer("Passphrase: ", "not the right one")
    talk.until("nothing was changed")
    assert talk.end() == 4
    assert "not the right one" not in talk.seen


def test_a_wrong_clock_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """More than ten minutes off is reported after a sync, with amount and direction; less is not."""
    for off, words in ((3 * 3_600_000, "3 hours ahead"), (-15 * 60_000, "15 minutes behind"), (60_000, None)):
        told = Synced(
            server="Office", up=Sent(0, 1), down=Fetched(0, 1), requests=1, new_conflicts=0, refused=0, forms=[], left=[], digest="equal",
            clock_off_ms=off, seconds=0.1,
        )  # fmt: skip
        Tables("en").synced(told)
        said = capsys.readouterr().out
        assert words in said if words else "clock" not in said


@pytest.mark.parametrize("words", [("sync", "--tries", "1"), ("doctor",)])
def test_a_server_that_is_waited_for_is_named(world: World, words: tuple[str, ...]) -> None:
    """It accepts the connection and says nothing: after a second, standard error names it; the document's reader hears nothing."""
    host, _, port = world.listen.partition(":")
    with socket.create_server((host, int(port))):
        asked = subprocess.Popen(
            world.command("amal", *words), env=world.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
        assert asked.stderr is not None
        said = asked.stderr.readline()
        asked.kill()
        asked.communicate()
    assert said == "Waiting for Office to answer …\n"
    before = threading.active_count()
    with ProgressBar("en", quiet=True).waiting_for("x"):  # with --json
        assert threading.active_count() == before


def test_an_invite_has_a_qr_code_on_a_terminal(world: World) -> None:
    """A terminal shows the text and a QR code; a pipe gets two lines."""
    assert (
        len(world.here("hq", "server", "invite", "Karim", "--role", "caseworker", "--unit", "LAT").out.splitlines())
        == 2
    )
    words = ("server", "invite", "Karim", "--role", "caseworker", "--unit", "LAT")
    for lines in (24, 60):
        talk = Talk(world, "hq", *words, LINES=str(lines))
        assert talk.end() == 0
        before, code, after = re.split("((?:.*[▀▄█].*\n)+)", talk.seen.replace("\r", ""))
        assert code.count("\n") > 20
        high = code.count("\n") >= lines
        assert "fieldsync:1:" in (after if high else before)  # what stays on the screen is the text
        assert ("needs a window of" in after) is high
