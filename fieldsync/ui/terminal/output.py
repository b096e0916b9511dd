"""Terminal output: colours and progress bars only on a terminal, Arabic in the direction the terminal needs.

All text from records passes through `safe`.
"""

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fieldsync.core import names, safetext
from fieldsync.ui.terminal import bidi, messages
from fieldsync.ui.terminal.messages import SafeText

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text

_PIPE_WIDTH = 1_000  # nobody's lines are wrapped in a pipe
_BETWEEN = 3  # columns between two of a table
_PATIENCE = 1.0  # seconds before a bar appears, or the name of the server that does not answer
_GLANCE = 0.2  # seconds between two looks whether a server has answered


def stderr_text(text: str, lang: str, rtl: str = "") -> str:
    """Return lines for standard error or a question on it, written as the terminal there wants Arabic."""
    if not sys.stderr.isatty():
        return text
    form = bidi.form_for(os.environ, tty=True, asked=rtl)
    width = shutil.get_terminal_size().columns
    parts = (bidi.wrap_lines(part, form, width, rtl=lang == "ar") for part in text.split("\n"))
    return "\n".join(line for part in parts for line in part)


def write_stderr(text: str, lang: str, rtl: str = "") -> None:
    """Write lines to standard error, beside a command's output."""
    sys.stderr.write(stderr_text(text, lang, rtl) + "\n")
    sys.stderr.flush()


class Terminal:
    """Output for users: on standard output, in their language."""

    def __init__(self, lang: str, rtl: str = "") -> None:
        self.lang = lang
        self.tty = sys.stdout.isatty()
        self.form = bidi.form_for(os.environ, tty=self.tty, asked=rtl)

    def phrase(self, key: str, **facts: object) -> str:
        """Return the text of a key."""
        return messages.phrase(key, self.lang, **facts)

    def line(self, text: str = "") -> None:
        """Write one line, which holds nothing of a record that `safe` has not seen; on a terminal in as many as it needs."""
        if self.tty:
            width, rtl = shutil.get_terminal_size().columns, self.lang == "ar"
            text = "\n".join(
                line for part in text.split("\n") for line in bidi.wrap_lines(part, self.form, width, rtl=rtl)
            )
        self.write_as_is(text)

    def write_as_is(self, text: str) -> None:
        """Write one line whose Arabic is in its form already."""
        sys.stdout.write(text + "\n")

    def say(self, key: str, **facts: object) -> None:
        """Write the text of a key."""
        self.line(self.phrase(key, **facts))

    def agrees(self, question: str) -> bool:
        """Ask a person whether something is meant; the question by its key in the catalogue."""
        answer = names.strip_invisible(self.ask(self.phrase(question) + " ")).casefold()
        return answer in ("y", "yes", "ن", "نعم")

    def ask(self, prompt: str) -> str:
        """Ask a person, with the line editor where there is one; the end of input is the wish to leave.

        A terminal would break a long prompt anywhere, and turned text in the wrong order: it is cut at words, and the editor gets its end.
        """
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - makes input() one's line editable
        rtl = self.lang == "ar"
        *before, last = [bidi.write_line(prompt, self.form, rtl=rtl)]
        if self.tty:
            *before, last = bidi.wrap_lines(prompt, self.form, shutil.get_terminal_size().columns, rtl=rtl)
            last += " " if prompt.endswith(" ") and not last.endswith(" ") else ""
        for line in before:
            self.write_as_is(line)
        sys.stdout.flush()
        try:
            return input(last)
        except (EOFError, KeyboardInterrupt):
            sys.stdout.write("\n")  # what is said next begins a line
            raise KeyboardInterrupt from None

    def safe(self, value: object, *, lines: bool = False) -> SafeText:
        """Return a value's text made harmless, and kept to itself where the terminal turns lines round."""
        if isinstance(value, SafeText):
            return value
        return SafeText(bidi.isolate_value(safetext.safe_text(str(value), lines=lines), self.form))

    def cell(self, value: object, style: str = "") -> "Text | bidi.TurnedCell":
        """Return a value as a table's cell: text, never markup."""
        text = self.safe(value)
        if self.form == "visual" and not text.isascii():
            return bidi.TurnedCell(text, style)
        from rich.text import Text

        return Text(bidi.write_line(text, self.form, rtl=False), style=style, no_wrap=True)

    @cached_property
    def console(self) -> "Console":
        """Return the screen library's console."""
        from rich.console import Console

        options: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": False}
        if not self.tty:
            options["width"] = _PIPE_WIDTH
        return Console(**options)

    def fits(self, columns: Sequence[object], rows: Iterable[Sequence[object]]) -> bool:
        """Say whether a table of these cells is drawn whole: on a narrow terminal cells would be cut."""
        if not self.tty:
            return True
        from rich.cells import cell_len

        shown = ([("" if one is None else str(one)) for one in row] for row in (columns, *rows))
        widths = (max(cell_len(bidi.without_isolates(one)) for one in column) for column in zip(*shown, strict=True))
        return sum(widths) + _BETWEEN * (len(columns) - 1) <= shutil.get_terminal_size().columns

    def table_or_lines(self, columns: list[str], rows: list[list[object]], *, whole: Collection[int] = ()) -> None:
        """Write a table; where a terminal would cut its cells, lines: the first cell, and below it each other with its column."""
        if self.fits(columns, rows):
            self.table(columns, rows, whole=whole)
            return
        for first, *others in rows:
            self.line(self.safe(first))
            named = zip(columns[1:], others, strict=True)
            parts = [
                f"{name}: {self.safe(cell)}" if name else self.safe(cell)
                for name, cell in named
                if cell not in ("", None)
            ]
            for line in _pack_parts(parts, messages.list_comma(self.lang), shutil.get_terminal_size().columns - 2):
                self.line("  " + line)

    def table(
        self, columns: list[str], rows: list[list[object]], *, whole: Collection[int] = (), headed: bool = True
    ) -> None:
        """Write a table; in a pipe without lines and colours. Columns in `whole` are never cut: codes are to be typed."""
        from rich import box
        from rich.table import Table

        frame = box.SIMPLE_HEAD if self.tty else None
        made = Table(
            box=frame if headed else None, show_header=headed, show_edge=False, pad_edge=False,
            header_style="bold" if self.tty else "",
        )  # fmt: skip
        for at, name in enumerate(columns):
            widest = max((len(str(row[at] or "")) for row in rows), default=0) if at in whole else None
            # the library takes room from columns that may wrap first; the cells themselves never do
            made.add_column(
                self.cell(name), overflow="ellipsis" if self.tty else "fold", no_wrap=at in whole, min_width=widest
            )
        for row in rows:
            made.add_row(*(self.cell("" if value is None else value) for value in row))
        self.console.print(made)


def _pack_parts(parts: Iterable[str], comma: str, width: int) -> Iterator[str]:
    """Yield lines of parts, each part whole, with a comma between two."""
    from rich.cells import cell_len

    line = ""
    for part in parts:
        longer = f"{line}{comma}{part}" if line else part
        if line and cell_len(bidi.without_isolates(longer + comma)) > width:
            yield line + comma.rstrip()
            longer = part
        line = longer
    if line:
        yield line


class ProgressBar:
    """A progress bar on standard error: only on a terminal, only after a second, gone when it is done."""

    def __init__(self, lang: str, rtl: str = "", *, quiet: bool = False) -> None:
        self._lang = lang
        self._rtl = rtl
        self._quiet = quiet
        self._away = False
        self._tty = sys.stderr.isatty()
        self._started = time.monotonic()
        self._progress: Progress | None = None
        self._tasks: dict[str, Any] = {}
        self._heard = self._started  # the last sign of the server, or the end of a pause between two attempts
        self._attempt = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Show how far it has got: `done` of `total` (None: nobody knows)."""
        self._heard = time.monotonic()
        if not self._tty or time.monotonic() - self._started < _PATIENCE:
            return
        if self._progress is None:
            self._progress = self._start_progress()
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task("", total=total)
        label = messages.phrase(f"bar_{what}", self._lang)
        shown = label if total else f"{label} {done:,}"
        shown = stderr_text(shown, self._lang, self._rtl)
        self._progress.update(self._tasks[what], completed=done, total=total, description=shown)

    @contextlib.contextmanager
    def waiting_for(self, server: str) -> Iterator[None]:
        """Name the server, once an attempt, if it gives no sign for a second."""
        if self._quiet:
            yield
            return
        ended = threading.Event()
        self._heard = time.monotonic()
        watch = threading.Thread(target=self._watch_server, args=(server, ended), daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()

    def _watch_server(self, server: str, ended: threading.Event) -> None:
        named = -1
        while not ended.wait(_GLANCE):
            if named != self._attempt and time.monotonic() - self._heard >= _PATIENCE:
                named = self._attempt
                self.write_note("waiting_server", server=server)

    def show_waiting(self, now: Any) -> None:
        """Report an interrupted connection or a busy server (a sync's RetryWait), and the time of the next attempt."""
        key = "waiting_busy" if now.reason == "busy" else "waiting_cut"
        seconds = f"{max(1, round(now.seconds))}"
        self._heard = time.monotonic() + now.seconds
        self._attempt += 1
        self.write_note(key, seconds=seconds, next=now.next, of=now.of, unsent=now.unsent)

    def show_no_contact(self, fault: Any) -> None:
        """Report, once, that there is no connection."""
        if not self._away:
            self.write_note("watch_away", unsent=fault.facts.get("unsent", 0))
        self._away = True

    def clear_no_contact(self) -> None:
        """There is a line again."""
        self._away = False

    def write_note(self, key: str, **facts: object) -> None:
        """Write a line to standard error; none where a program listens."""
        if self._quiet:
            return
        text = messages.phrase(key, self._lang, **facts)
        if self._progress is not None:
            self._progress.console.print(stderr_text(text, self._lang, self._rtl), markup=False, highlight=False)
        else:
            write_stderr(text, self._lang, self._rtl)

    def _start_progress(self) -> "Progress":
        from rich import progress as parts
        from rich.console import Console

        made = parts.Progress(
            parts.TextColumn("{task.description}", markup=False),
            parts.BarColumn(),
            parts.TaskProgressColumn(),
            parts.TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        made.start()
        return made
