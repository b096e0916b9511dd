"""The base of all errors, and those unrelated to a request: internal faults, wrong usage, cancellation by the user."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def _plain(fact: object) -> object:
    """Return a fact as JSON: values from outside may be bytes, out of range, or too deep."""
    if isinstance(fact, float) and fact - fact != 0:
        return None
    if fact is None or isinstance(fact, str | bool | int | float):
        return fact
    if isinstance(fact, Mapping):
        return {str(key): _plain(value) for key, value in fact.items()}
    if isinstance(fact, list | tuple | set | frozenset):
        return [_plain(one) for one in fact]
    return fact.hex() if isinstance(fact, bytes) else str(fact)


class FieldsyncError(Exception):
    """Base of every error of ours; `facts` are plain JSON values for the words at the edge."""

    code = "error"
    exit = 1
    status = 500

    def __init__(self, **facts: object) -> None:
        super().__init__(self.code)
        self.facts = {name: _plain(fact) for name, fact in facts.items()}

    def __str__(self) -> str:
        return f"{self.code} {self.facts}" if self.facts else self.code


@contextmanager
def naming_which(which: object) -> Iterator[None]:
    """Add to an error which of several records or rows it is about."""
    try:
        yield
    except FieldsyncError as error:
        error.facts["which"] = which
        raise


class Fault(FieldsyncError):
    """An internal fault, or a fault of the machine."""

    code = "fault"


class DiskFull(Fault):
    """The disk is full; nothing was changed."""

    code = "disk_full"
    status = 507


class Unexpected(Fault):
    """An unexpected exception; facts: where."""

    code = "unexpected"


class Usage(FieldsyncError):
    """Incomplete or invalid command; facts: reason."""

    code = "usage"
    exit = 2
    status = 400


class Stopped(FieldsyncError):
    """Cancelled by the user; facts: unsent."""

    code = "stopped"
    exit = 130
    status = 499
