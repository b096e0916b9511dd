"""What `show` takes with an agent that holds the key, beside a key file: `python -m benchmarks.unlock [TIMES]`.

Whole commands, one by one and in turn, so that a busy machine is as busy for both; the medians are compared.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MOST = 1.2  # of the key file's time


def main(times: str = "25") -> None:
    """Measure with an office of its own; exit 1 where the agent takes longer than it may."""
    with tempfile.TemporaryDirectory(prefix="fs") as folder:
        home, key = Path(folder) / "office", Path(folder) / "key"
        key.write_bytes(os.urandom(32))
        known = {name: value for name, value in os.environ.items() if not name.startswith("FIELDSYNC_")}
        bare = known | {"FIELDSYNC_HOME": str(home), "XDG_RUNTIME_DIR": folder}
        with_key = bare | {"FIELDSYNC_KEY_FILE": str(key)}

        def run(environment: dict[str, str], *words: str) -> float:
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "fieldsync", *words], env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, check=True,
            )  # fmt: skip
            return time.perf_counter() - started

        run(with_key, "server", "init", "--org", "Office", "--unit", "LAT", "--address", "https://localhost:1")
        run(with_key, "add", "household", "--set", "family_name=علي")
        run(with_key, "unlock", "--for", "1h")
        try:
            pairs = [(run(with_key, "show", "LAT-A-1"), run(bare, "show", "LAT-A-1")) for _ in range(int(times))]
        finally:
            run(bare, "lock")
    by_file, by_agent = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = by_agent / by_file
    print(f"show with a key file: {by_file:.3f} s; with an agent: {by_agent:.3f} s, {ratio:.2f} of that")
    if ratio > MOST:
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
