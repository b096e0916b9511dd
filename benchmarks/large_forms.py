"""Very many forms: `python -m benchmarks.large_forms [TYPES]` publishes, joins with and syncs forms of 10 MB, over real lines.

Then one of them changes, is published alone, and is synced.
"""

import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fieldsync import cli
from fieldsync.demo.story_runner import free_port
from fieldsync.protocol import invites, join_server, sync_once
from fieldsync.schema import load
from fieldsync.server import administration
from fieldsync.server.publish_schema import publish_schema
from tests.cast import JBL, ServerProcess, fill, found_office, open_node

BYTES = 20_000  # of one type


def words(seed: int) -> Callable[[], str]:
    """Return a source of questions: nine words, some of them frequent."""
    chance = random.Random(seed)
    known = ["".join(chance.choices("abcdefghiklmnoprstuvw", k=chance.randint(3, 9))) for _ in range(500)]
    return lambda: " ".join(chance.choice(known[:40] if chance.random() < 0.6 else known) for _ in range(9))


def form(name: str, question: Callable[[], str]) -> str:
    """Return one type's file, in both languages."""
    parts = [
        f'version = 1\nlabel = {{ en = "{name}", ar = "استمارة" }}\nplural = {{ en = "{name}", ar = "استمارات" }}\n'
    ]
    size = 0
    while size < BYTES:
        en = question()
        ar = "".join(chr(0x627 + ord(letter) % 30) if letter != " " else letter for letter in en)
        label = f'label = {{ en = "{en}", ar = "{ar}" }}'
        parts.append(f'\n[fields.q{len(parts)}]\ntype = "text"\nmerge = "latest"\nsensitivity = 0\n{label}\n')
        size += len(parts[-1].encode())
    return "".join(parts)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something takes: by the clock, and of this process's processor time. Nobody has read the forms before."""
    load._load_cached.cache_clear()  # noqa: SLF001 - another program would not have it
    started, before = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - started:.1f} s, {time.process_time() - before:.1f} s of processor time")


def main(types: str = "500") -> None:
    """Measure with an office of its own."""
    gc.set_threshold(*cli.GARBAGE)
    question = words(5)
    texts = load.shipped_texts() | {f"survey_{n}.toml": form(f"survey_{n}", question) for n in range(int(types))}
    print(f"{len(texts)} files, {sum(len(text.encode()) for text in texts.values()) / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), free_port()
        forms = home / "forms"
        forms.mkdir()
        for name, text in texts.items():
            (forms / name).write_text(text, encoding="utf-8")
        found_office(home / "hq", port)
        hq = open_node(home / "hq", shared=True)
        early, late = (
            invites.parse_invite(administration.make_invite(hq, name, "caseworker", [JBL]).invite)
            for name in ("Amal", "Basim")
        )
        server = ServerProcess(home / "hq", port)
        server.start()
        try:
            join_server.join_server(early, home / "amal", fill)
            with timed("publish all"):
                publish_schema(hq, forms)
            with closing(open_node(home / "amal")) as amal:
                with timed("sync all"):
                    told = sync_once.sync_once(amal)
                print(f"  {told.down.bytes:,} bytes, {told.requests} requests")
                with timed("join"):
                    join_server.join_server(late, home / "basim", fill)
                changed = forms / "survey_7.toml"
                changed.write_text(
                    changed.read_text(encoding="utf-8").replace("استمارة", "استبيان", 1), encoding="utf-8"
                )
                with timed("publish one"):
                    publish_schema(hq, changed)
                with timed("sync one"):
                    told = sync_once.sync_once(amal)
                print(f"  {told.down.bytes:,} bytes")
        finally:
            server.stop()
            hq.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
