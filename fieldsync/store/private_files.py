"""New files that only their owner may read, from the first byte on."""

import os
from pathlib import Path
from typing import IO

_BINARY = getattr(os, "O_BINARY", 0)  # without it Windows turns each line feed into two bytes


def create_private(path: Path, *, exclusive: bool = True) -> IO[bytes]:
    """Create a file and open it for reading and writing bytes.

    With `exclusive` it is FileExistsError where there is one; otherwise that one is emptied.
    """
    flags = os.O_RDWR | os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC) | _BINARY
    return os.fdopen(os.open(path, flags, 0o600), "w+b")
