"""Random histories from the command line: `python -m tests.model --minutes 60`. See README.md."""

import argparse
import random
import sys
import time
from pathlib import Path

from tests.model import stories
from tests.model.history import invent, play
from tests.model.month import live_month
from tests.model.shrink import shrink
from tests.model.stories import Failure
from tests.model.trace import Trace


def main() -> int:
    """Run what was asked for; the exit status says whether anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--seed", type=int, help="begin with this seed (default: a random one)")
    parser.add_argument("--histories", type=int, help="how many (default: 100, or as many as the minutes take)")
    parser.add_argument("--minutes", type=float, help="go on for so long")
    parser.add_argument("--days", type=int, help="live months of the whole tree instead, of so many days each")
    parser.add_argument("--steps", type=int, default=60, help="steps of a history")
    parser.add_argument("--skip", default="", help="checks that are not made, by comma")
    parser.add_argument("--without", default="", help="operations that do not happen, by comma")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first that fails")
    parser.add_argument("--keep", type=Path, help="write failing histories into this folder, as stories")
    parser.add_argument("--no-shrink", action="store_true", help="tell failing histories in full")
    parser.add_argument("--trace", type=Path, help="write what happened into this file, one line per event")
    parser.add_argument("--play", type=Path, help="play a story and no more")
    asked = parser.parse_args()
    skip = frozenset(asked.skip.split(",")) - {""}
    if asked.play is not None:
        story = stories.load(asked.play)
        print(stories.told(story.steps))
        failure = play(story.seed, story.people, story.steps, skip)
        print("holds" if failure is None else f"BROKEN: {failure.check}: {failure.what}")
        return failure is not None
    return _run(asked, skip)


def _run(asked: argparse.Namespace, skip: frozenset[str]) -> int:
    seed = random.SystemRandom().randrange(1 << 31) if asked.seed is None else asked.seed
    most = asked.histories or (sys.maxsize if asked.minutes else 100)
    end = time.monotonic() + 60 * asked.minutes if asked.minutes else None
    lived = failed = 0
    print(f"seeds from {seed} on", flush=True)
    while lived < most and (end is None or time.monotonic() < end):
        trace = Trace(keep=asked.trace is not None)
        if asked.days:
            failure = live_month(seed + lived, asked.days, trace)
        else:
            failure = invent(seed + lived, asked.steps, skip, frozenset(asked.without.split(",")), trace)
        if asked.trace is not None:
            with asked.trace.open("ab") as file:
                file.write(f"seed {seed + lived}\n".encode() + trace.to_bytes())
        lived += 1
        if failure is not None:
            failed += 1
            _tell(failure, asked, skip)
            if not asked.keep_going:
                break
    print(f"{lived} histories, {failed} failed")
    return failed > 0


def _tell(failure: Failure, asked: argparse.Namespace, skip: frozenset[str]) -> None:
    print(f"\nseed {failure.seed}, {len(failure.steps)} steps: {failure.check}: {failure.what}", flush=True)
    if not asked.no_shrink:
        failure = shrink(failure, skip)
        print(f"shrunken to {len(failure.steps)} steps: {failure.what}")
    print(stories.told(failure.steps), flush=True)
    if asked.keep is not None:
        stories.keep(asked.keep, failure)


if __name__ == "__main__":
    sys.exit(main())
