"""A branch's night: 20 laptops' 4,000 commits of a day go up a thin line, beside the same data with no protocol at all.

    python -m benchmarks.night

Real servers, real laptops, real requests; the line is arithmetic: bytes at 64 kbit/s, and 600 ms for each round trip.
The floor is what changed (record, fields, values, who, when) as MessagePack rows, all in one piece through zstd -19.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from benchmarks import workload
from benchmarks.run import SCHEMAS, TYPE, Bench
from fieldsync.core import record_ids
from fieldsync.demo.story_runner import free_port

LAPTOPS, EDITS, RECORDS = 20, 200, 20_000
BYTES_A_SECOND, ROUND_TRIP = 64_000 / 8, 0.6
MOST, ROUNDS = 1.6, 4


class Night(Bench):
    """A headquarters, a branch below it, and the branch's laptops."""

    def branch(self) -> None:
        """Set up the branch and let it serve."""
        port = free_port()
        address = f"https://127.0.0.1:{port}"
        self.cli(
            "branch", "server", "init", "--org", "B", "--unit", "TZ/A", "--address", address, "--schemas", str(SCHEMAS)
        )
        invite = self.cli("hq", "server", "invite", "B", "--role", "branch", "--unit", "TZ/A")["invite"]
        self.cli("branch", "server", "upstream", "set", invite)
        self.below = subprocess.Popen(
            self.command("branch", "server", "run", "--listen", f"127.0.0.1:{port}"), env=self.env, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.below.stderr is not None
        assert "listening" in self.below.stderr.readline()

    def enrol(self, home: str) -> None:
        """Enrol a laptop at the branch."""
        invite = self.cli("branch", "server", "invite", home, "--role", "caseworker", "--unit", "TZ/A")["invite"]
        self.cli(home, "join", invite)

    def stop(self) -> None:
        """Stop both servers."""
        self.below.terminate()
        self.below.wait(30)
        super().stop()


def floor(edits: Path) -> int:
    """Return the bytes of what changed, as one piece through zstd -19."""
    with edits.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    told = [(record_ids.from_text(one["id"]), one["set"], one["replica"], one["at"]) for one in rows]
    return len(zstandard.ZstdCompressor(level=19).compress(msgspec.msgpack.encode(told)))


def night(folder: Path) -> dict[str, Any]:
    """Play the day and the night, and return the figures."""
    workload.main(str(folder), RECORDS, LAPTOPS, EDITS)
    bench = Night(folder)
    bench.branch()
    try:
        bench.enrol("source")
        bench.cli("source", "import", str(folder / f"base-{RECORDS}.jsonl"), "--type", TYPE)
        bench.cli("source", "sync")
        bench.cli("branch", "server", "upstream", "sync")
        for laptop in range(LAPTOPS):
            bench.enrol(f"r{laptop}")
            bench.edit(f"r{laptop}", folder / f"edits-{RECORDS}.jsonl", laptop)
            bench.cli(f"r{laptop}", "sync")
        return dict(bench.cli("branch", "server", "upstream", "sync"))
    finally:
        bench.stop()


def main() -> None:
    """Run, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        told = night(Path(folder))
        least = floor(Path(folder) / f"edits-{RECORDS}.jsonl")
    total = told["up"]["bytes"] + told["down"]["bytes"]
    seconds = total / BYTES_A_SECOND + (told["requests"] + 1) * ROUND_TRIP  # one more to connect, as TLS 1.3 does
    print(json.dumps(told), file=sys.stderr)
    rows = [
        ("a branch's night", "measured", "must", "floor: zstd -19, no protocol"),
        ("---", "---", "---", "---"),
        ("commits, digest", f"{told['up']['commits']:,}, {told['digest']}", f"{LAPTOPS * EDITS:,}, equal", ""),
        ("bytes both ways", f"{total:,}", f"{MOST} × the floor", f"{least:,} ({total / least:.2f} ×)"),
        ("round trips", f"{told['requests'] + 1}", f"{ROUNDS}", ""),
        ("at 64 kbit/s and 600 ms", f"{seconds:.1f} s", "", f"{least / BYTES_A_SECOND + ROUND_TRIP:.1f} s"),
    ]
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))


if __name__ == "__main__":
    os.umask(0o077)
    main()
