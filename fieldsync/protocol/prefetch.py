"""Prefetching the next item in a thread while the current one is used: commits to the store release the interpreter lock."""

import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import TypeVar

from fieldsync.environment import Environment

_T = TypeVar("_T")
MOST_AHEAD = 2


def prefetch(items: Iterable[_T], environment: Environment) -> Iterator[_T]:
    """Yield an iterable's items, produced in a thread up to MOST_AHEAD in advance; it must not use the store.

    Where the environment has no threads, each is produced when it is asked for.
    """
    if not environment.threads:
        yield from items
        return
    made: SimpleQueue[tuple[_T | None, BaseException | None]] = SimpleQueue()
    room = threading.Semaphore(MOST_AHEAD)
    over = threading.Event()

    def make() -> None:
        try:
            for item in items:
                made.put((item, None))
                room.acquire()
                if over.is_set():
                    return
        except BaseException as fault:  # noqa: BLE001 - it is raised where the items are taken
            made.put((None, fault))
        else:
            made.put((None, StopIteration()))

    # a daemon: where nobody takes any more, it may still wait for a line that is closed only then
    threading.Thread(target=make, name="ahead", daemon=True).start()
    try:
        while True:
            item, fault = made.get()
            if isinstance(fault, StopIteration):
                return
            if fault is not None:
                raise fault
            yield item  # type: ignore[misc]  # an item where there is no fault
            room.release()
    finally:
        over.set()
        room.release()
