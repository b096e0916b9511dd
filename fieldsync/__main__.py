"""The command line: `fieldsync`, or `python -m fieldsync`."""

import atexit
import gc
import sys

INTERRUPTED = 130
# a sync makes a million small objects and no cycles, and what is imported stays: look for garbage seldom
GARBAGE = 1_000_000, 20, 100


def main() -> None:
    """Run one command and exit as docs/cli.md says."""
    gc.set_threshold(*GARBAGE)
    atexit.register(gc.freeze)  # the process ends: no search for cycles in what is freed as a whole
    try:
        from fieldsync import cli
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    cli.main()


if __name__ == "__main__":
    main()
