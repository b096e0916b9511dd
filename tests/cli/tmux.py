"""A person at a real terminal: the program in tmux, keys pressed, the screen read."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cli.conftest import World

SECONDS = 60  # a busy machine takes its time


class Terminal:
    """One window of a tmux server of its own."""

    def __init__(self, socket: Path, world: World, columns: int, rows: int) -> None:
        self._socket = socket
        sized = {"COLUMNS", "LINES"}  # parallel tests set them; a terminal's own size is what counts
        environment = {name: value for name, value in world.environment.items() if name not in sized}
        self._run(
            "-f",
            os.devnull,
            "new-session",
            "-d",
            "-x",
            str(columns),
            "-y",
            str(rows),
            "sh",
            env=environment,
            cwd=world.folder,
        )
        self._run("set", "-g", "status", "off")
        self._run("set", "-sg", "escape-time", "0")

    def _run(self, *words: str, **options: object) -> str:
        made = subprocess.run(
            ["tmux", "-S", str(self._socket), *words], check=True, capture_output=True, text=True, **options
        )  # type: ignore[call-overload]
        return str(made.stdout)

    def start(self, *command: str) -> None:
        """Run a command in place of what ran before; the last line says how it ended.

        The pane stays alive: tmux scrolls the screen of a dead one up by a line.
        """
        self._run("respawn-pane", "-k", "sh", "-c", '"$@"; echo "ended with $?"; exec sleep 3600', "sh", *command)

    def seen(self) -> str:
        """The screen as it is."""
        return self._run("capture-pane", "-p")

    def until(self, *texts: str) -> str:
        """Wait until texts are on the screen together, which may be drawn in parts; return the screen."""
        deadline = time.monotonic() + SECONDS
        shown = self.seen()
        while not all(text in shown for text in texts):
            assert time.monotonic() < deadline, f"no {texts} on:\n{shown}"
            time.sleep(0.05)
            shown = self.seen()
        return shown

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._run("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type letters."""
        self._run("send-keys", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size."""
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def kill(self) -> None:
        """End what runs as a power cut does."""
        shell = self._run("display-message", "-p", "#{pane_pid}").strip()
        (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text(encoding="ascii").split()
        os.kill(int(child), signal.SIGKILL)
        self.until("ended with 137")

    def close(self) -> None:
        """End it all."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("kill-server")


@contextlib.contextmanager
def terminal(world: World, *, columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
    """Open a terminal for as long as a test needs it."""
    made = Terminal(world.folder / "tmux", world, columns, rows)
    try:
        yield made
    finally:
        made.close()
