"""How much each device has sent, counted together by the processes that serve on one computer. POSIX only, as these are forks.

A table in memory that all of them map. A lock on its file, which ends with its process, lets one count at a time.
"""

import fcntl
import mmap
import struct
import tempfile
import zlib

_SLOT = struct.Struct("16sdd")  # whose, how many were taken and not yet forgotten, at which moment
_BUCKET = 16  # slots in which a device may be
_BUCKETS = 1_024


class SharedLevels:
    """The table, made before the forks; of a full bucket, the device that has least before it gives way."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - until its process ends
        self._file.truncate(_SLOT.size * _BUCKET * _BUCKETS)
        self._table = mmap.mmap(self._file.fileno(), 0)

    def add(self, device: bytes, count: int, now: float, rate: float) -> float:
        """Count a number of commits of a device (16 bytes); return its level, which falls by `rate` a second."""
        first = zlib.crc32(device) % _BUCKETS * _BUCKET
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            chosen, least = 0, float("inf")
            for slot in range(first * _SLOT.size, (first + _BUCKET) * _SLOT.size, _SLOT.size):
                whose, level, at = _SLOT.unpack_from(self._table, slot)
                level = max(0.0, level - (now - at) * rate)
                if whose == device:
                    chosen, least = slot, level
                    break
                if level < least:
                    chosen, least = slot, level
            else:
                least = 0.0
            _SLOT.pack_into(self._table, chosen, device, least + count, now)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        return least + count
