"""A VFS under SQLite whose files are the default one's, with other methods for what changes them: those ask a disk first."""

import ctypes
import functools
import os
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, PYFUNCTYPE, Structure, c_char_p, c_int, c_int64, c_void_p
from typing import Any, Protocol

from sqlcipher3 import _sqlite3 as extension

OK, FULL, CANNOT_OPEN = 0, 13, 14
IO_WRITE, IO_FSYNC, IO_TRUNCATE, IO_DELETE = (10 | kind << 8 for kind in (3, 4, 6, 10))  # SQLITE_IOERR_…
_READ_ONLY, _READ_WRITE, _CREATE = 0x1, 0x2, 0x4  # SQLITE_OPEN_…
_MAIN, _JOURNALS = 0x100, 0x800 | 0x4000 | 0x80000  # the database; rollback journals and write-ahead logs
_SHORT_READ = 10 | 2 << 8


class _Methods(Structure):
    """sqlite3_io_methods."""

    _fields_ = [
        ("version", c_int),
        *((name, c_void_p) for name in ("close", "read", "write", "truncate", "sync", "size")),
        *((f"other{number}", c_void_p) for number in range(12)),
    ]


class _Vfs(Structure):
    """sqlite3_vfs."""

    _fields_ = [
        ("version", c_int), ("file_bytes", c_int), ("path_bytes", c_int), ("next", c_void_p), ("name", c_char_p),
        ("data", c_void_p), ("open", c_void_p), ("delete", c_void_p),
        *((f"other{number}", c_void_p) for number in range(14)),
    ]  # fmt: skip


_CLOSE = (c_int, c_void_p)
_TRANSFER = (c_int, c_void_p, c_void_p, c_int, c_int64)  # file, buffer, bytes, offset
_TRUNCATE = (c_int, c_void_p, c_int64)
_SYNC = (c_int, c_void_p, c_int)
_SIZE = (c_int, c_void_p, POINTER(c_int64))
_OPEN = (c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_DELETE = (c_int, c_void_p, c_char_p, c_int)

Read = Callable[[int, int], bytes]
"""Returns so many bytes from an offset on, as the file has them now; fewer at its end."""


class File(Protocol):
    """What a disk knows of a file. Each method is asked before the file changes, and returns SQLite's result code."""

    def before_write(self, offset: int, data: bytes, read: Read) -> tuple[int, int]:
        """Return how many of the bytes may be written, and the code."""
        ...

    def before_truncate(self, size: int, read: Read) -> int:
        """Return whether the file may be cut."""
        ...

    def synced(self) -> int:
        """Return whether what was written is on the disk now; nothing else does it."""
        ...


class Disk(Protocol):
    """What is asked about files in a folder."""

    folder: str
    read_only: bool

    def opened(self, path: str, size: int | None, *, main: bool, journal: bool) -> File | None:
        """Return a file that is opened: `size` in bytes, None if it is new. None where the disk is gone."""
        ...

    def before_delete(self, path: str, *, sync: bool) -> int:
        """Return whether the file may be deleted."""
        ...


_disks: dict[str, Disk] = {}  # by their folders
_open: dict[int, "_Handle"] = {}  # by the address of SQLite's file
faults: list[BaseException] = []  # raised by a disk, which SQLite cannot pass on


class _Handle:
    """An open file: what the disk knows of it, and the default VFS's methods."""

    def __init__(self, address: int, file: File, methods: "_Wrapped") -> None:
        self.address, self.file, self.methods = address, file, methods

    def read(self, offset: int, amount: int) -> bytes:
        buffer = ctypes.create_string_buffer(amount)
        code = self.methods.read(self.address, buffer, amount, offset)
        if code == _SHORT_READ:
            return buffer.raw[: max(0, self.size() - offset)]
        assert code == OK, code
        return buffer.raw

    def size(self) -> int:
        size = c_int64()
        self.methods.size(self.address, ctypes.byref(size))
        return size.value


class _Wrapped:
    """Methods of the default VFS's files, and the table that takes their place."""

    def __init__(self, address: int) -> None:
        found = _Methods.from_address(address)
        self.close = PYFUNCTYPE(*_CLOSE)(found.close)
        self.read = PYFUNCTYPE(*_TRANSFER)(found.read)
        self.write = PYFUNCTYPE(*_TRANSFER)(found.write)
        self.truncate = PYFUNCTYPE(*_TRUNCATE)(found.truncate)
        self.size = PYFUNCTYPE(*_SIZE)(found.size)
        self.table = _Methods.from_buffer_copy(found)
        self.table.close = ctypes.cast(_close, c_void_p)
        self.table.write = ctypes.cast(_write, c_void_p)
        self.table.truncate = ctypes.cast(_truncate, c_void_p)
        self.table.sync = ctypes.cast(_sync, c_void_p)


_wrapped = functools.cache(_Wrapped)


def _callback(signature: tuple[Any, ...], failed: int) -> Callable[[Callable[..., int]], Any]:
    """Have SQLite call a function; what it raises is kept in `faults`, and SQLite is told `failed`."""

    def make(function: Callable[..., int]) -> Any:
        def called(*arguments: Any) -> int:
            try:
                return function(*arguments)
            except BaseException as fault:  # noqa: BLE001  ctypes would print it and go on
                faults.append(fault)
                return failed

        return CFUNCTYPE(*signature)(called)

    return make


@_callback(_CLOSE, IO_WRITE)
def _close(address: int) -> int:
    return int(_open.pop(address).methods.close(address))


@_callback(_TRANSFER, IO_WRITE)
def _write(address: int, buffer: int, amount: int, offset: int) -> int:
    handle = _open[address]
    room, code = handle.file.before_write(offset, ctypes.string_at(buffer, amount), handle.read)
    done = int(handle.methods.write(address, buffer, room, offset)) if room else OK
    return done or code


@_callback(_TRUNCATE, IO_TRUNCATE)
def _truncate(address: int, size: int) -> int:
    handle = _open[address]
    return handle.file.before_truncate(size, handle.read) or int(handle.methods.truncate(address, size))


@_callback(_SYNC, IO_FSYNC)
def _sync(address: int, _flags: int) -> int:
    return _open[address].file.synced()


def _disk_of(path: str) -> Disk | None:
    return _disks.get(os.path.dirname(path))


class _Layer:
    """The registered VFS, for as long as the process lives."""

    def __init__(self) -> None:
        library = ctypes.CDLL(extension.__file__)
        library.sqlite3_vfs_find.restype = c_void_p
        library.sqlite3_vfs_register.argtypes = [c_void_p, c_int]
        self.below = library.sqlite3_vfs_find(None)
        found = _Vfs.from_address(self.below)
        self._open_below = PYFUNCTYPE(*_OPEN)(found.open)
        self._delete_below = PYFUNCTYPE(*_DELETE)(found.delete)
        self.vfs = _Vfs.from_buffer_copy(found)
        self._callbacks = (_callback(_OPEN, CANNOT_OPEN)(self._opened), _callback(_DELETE, IO_DELETE)(self._deleted))
        self.vfs.name = b"failing"
        self.vfs.open, self.vfs.delete = (ctypes.cast(one, c_void_p) for one in self._callbacks)
        code = library.sqlite3_vfs_register(ctypes.byref(self.vfs), 1)
        assert code == OK, code

    def _opened(self, _vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        path = os.fsdecode(ctypes.string_at(name)) if name else ""
        disk = _disk_of(path)
        if disk is None or not flags & (_MAIN | _JOURNALS):
            return int(self._open_below(self.below, name, file, flags, out))
        size = os.stat(path).st_size if os.path.exists(path) else None
        known = disk.opened(path, size, main=bool(flags & _MAIN), journal=bool(flags & _JOURNALS))
        if known is None:
            c_void_p.from_address(file).value = None  # a file without methods is not closed
            return CANNOT_OPEN
        if disk.read_only and flags & _READ_WRITE:
            flags = flags & ~(_READ_WRITE | _CREATE) | _READ_ONLY
        code = int(self._open_below(self.below, name, file, flags, out))
        methods = c_void_p.from_address(file)
        if code == OK and methods.value is not None:
            wrapped = _wrapped(methods.value)
            methods.value = ctypes.addressof(wrapped.table)
            _open[file] = _Handle(file, known, wrapped)
        return code

    def _deleted(self, _vfs: int, name: bytes, sync: int) -> int:
        path = os.fsdecode(name)
        disk = _disk_of(path)
        code = disk.before_delete(path, sync=bool(sync)) if disk is not None and os.path.exists(path) else OK
        return code or int(self._delete_below(self.below, name, sync))


_layer = functools.cache(_Layer)


@functools.cache
def is_available() -> bool:
    """Return whether the extension module exports what is needed: not on Windows."""
    return hasattr(ctypes.CDLL(extension.__file__), "sqlite3_vfs_register")


def mount(disk: Disk) -> None:
    """Have a disk asked about the databases in its folder that are opened from now on."""
    if is_available():
        _layer()
        _disks[disk.folder] = disk


def unmount(disk: Disk) -> None:
    """Have it asked no more about files that are opened; raise what it raised meanwhile."""
    _disks.pop(disk.folder, None)
    if faults:
        raise faults.pop()
