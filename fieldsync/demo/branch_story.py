"""The branch story: headquarters, two branches, four laptops, an interrupted connection, a family that moves, a USB stick."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from fieldsync.demo.results import TreeTold
from fieldsync.demo.story_runner import Story, expect, free_port, households, together

JBL, QRD, ROOT = "LAT/JBL", "LAT/QRD", "LAT"
_CUTS = (30_000, 45_000)  # bytes after which the line to Jableh breaks
_PEOPLE = (
    ("amal", "أمل", "caseworker", JBL, "jbl"),
    ("basim", "باسم", "caseworker", JBL, "jbl"),
    ("rima", "ريما", "caseworker", QRD, "qrd"),
    ("samar", "سمر", "supervisor", ROOT, "hq"),
)


class _BreakingLine:
    """A connection to a server that breaks after a number of bytes, as often as requested."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.cuts: list[int] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                threading.Thread(target=self._carry, args=(here, there, True), daemon=True).start()
                threading.Thread(target=self._carry, args=(there, here, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        room = self.cuts[0] if up and self.cuts else None
        with contextlib.suppress(OSError):
            while data := source.recv(4_096):
                target.sendall(data)
                if room is not None and (room := room - len(data)) <= 0:
                    self.cuts.pop(0)
                    break
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Take the line away."""
        self._listener.close()


@contextlib.contextmanager
def _serving(story: Story, ports: dict[str, int]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for name, port in ports.items():
            stack.enter_context(story.server(name, f"127.0.0.1:{port}"))
        yield


def tell_tree(story: Story, tell: Any) -> TreeTold:
    """Play the story, and return its result."""
    tell("demo_tree_begin")
    ports = {name: free_port() for name in ("hq", "jbl", "qrd")}
    line = _BreakingLine(ports["jbl"])
    at = ports | {"jbl": line.port}
    try:
        for name, unit in (("hq", ROOT), ("jbl", JBL), ("qrd", QRD)):
            story.run(
                name, "server", "init", "--org", name, "--unit", unit, "--address", f"https://127.0.0.1:{at[name]}"
            )
        with _serving(story, ports):
            _found_branch(story, tell)
            _cut_line(story, tell, line)
            code = _move(story, tell)
            _stick(story, tell)
            digests = _end(story, tell)
    finally:
        line.close()
    return TreeTold(ok=True, seconds=0, record=code, digests=digests, costs=story.costs)


def _found_branch(story: Story, tell: Any) -> None:
    for name, unit in (("jbl", JBL), ("qrd", QRD)):
        invite = story.run("hq", "server", "invite", unit, "--role", "branch", "--unit", unit)["invite"]
        story.run(name, "server", "upstream", "set", invite)
    for home, name, role, unit, server in _PEOPLE:
        invite = story.run(server, "server", "invite", name, "--role", role, "--unit", unit)["invite"]
        (story.folder / f"{home}.invite").write_text(invite, encoding="utf-8")
    together(lambda home: story.run(home, "join", str(story.folder / f"{home}.invite")), *(one[0] for one in _PEOPLE))
    tell("demo_tree_step_join")


def _cut_line(story: Story, tell: Any, line: _BreakingLine) -> None:
    """Amal's first big sync is interrupted twice and resumes; at night the branch forwards it."""
    added = story.run("amal", "import", str(households()), "--type", "household")["added"]
    line.cuts = list(_CUTS)
    told = story.sync("amal")
    expect(not line.cuts and told["up"]["commits"] == added, "the cut sync went on")
    tell("demo_tree_step_cut", n=f"{added:,}", cuts=len(_CUTS), bytes=f"{told['up']['bytes']:,}")
    night = story.night("jbl")
    expect(night["up"]["commits"] == added and night["digest"] == "equal", "the night")
    tell("demo_tree_step_night", n=f"{added:,}", bytes=f"{night['up']['bytes']:,}")
    story.sync("basim")


def _move(story: Story, tell: Any) -> str:
    """A family moves to the other branch while Basim, offline, still writes about it."""
    found = story.run("amal", "find", "الخطيب", "--limit", "0")
    code = str(next(one["code"] for one in found if one["fields"]["location"] == "جبلة"))
    story.run("amal", "move", code, "--unit", QRD)
    story.run("basim", "edit", code, "--set", "address=قرب الجامع الكبير")
    story.sync("amal")
    left = story.sync("basim")["left"]
    expect([one["code"] for one in left] == [code], "Basim is told that it left")
    story.night("jbl")
    story.night("qrd")
    story.sync("rima")
    expect(story.run("rima", "show", code)["fields"]["address"] == "قرب الجامع الكبير", "Basim's edit followed")
    story.run("basim", "show", code, code=5)
    tell("demo_tree_step_move", code=code, unit=QRD)
    return code


def _stick(story: Story, tell: Any) -> None:
    """Rima has no line for weeks: her work goes to the branch and the answer comes back as files."""
    story.run("rima", "add", "household", "--set", "family_name=Haddad", "--set", "location=القرداحة")
    up, down = (str(story.folder / name) for name in ("up.age", "down.age"))
    packed = story.run("rima", "pack", up)
    story.run("qrd", "unpack", up)
    story.run("qrd", "pack", down, "--for", story.run("rima", "status")["device"])
    story.run("rima", "unpack", down)
    expect(story.run("rima", "status")["unsent"] == 0, "the stick's answer acknowledges")
    tell("demo_tree_step_stick", n=packed["commits"], bytes=f"{packed['bytes']:,}")


def _end(story: Story, tell: Any) -> dict[str, dict[str, str]]:
    """After another night all servers and laptops hold the same."""
    for name in ("qrd", "jbl", "qrd"):
        story.night(name)
    together(story.sync, "amal", "basim", "rima", "samar")
    digests: dict[str, dict[str, str]] = {}
    for who in ("hq", "jbl", "qrd", "amal", "basim", "rima", "samar"):
        status = story.run(who, "status")
        for channel in status["channels"]:
            if channel["records"] and channel["unit"].startswith(tuple(status["units"])):
                digests.setdefault(channel["unit"], {})[who] = channel["digest"]
    expect(set(digests) == {JBL, QRD} and all(len(set(d.values())) == 1 for d in digests.values()), "equal digests")
    expect(set(digests[QRD]) == {"hq", "qrd", "rima", "samar"}, "nobody else sees them")
    tell("demo_tree_step_equal", jbl=digests[JBL]["hq"], qrd=digests[QRD]["hq"])
    return digests
