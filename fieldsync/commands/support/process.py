"""Privacy of a process: permissions of the files it makes, its memory, and the passphrase in its environment."""

import os
import sys
from contextlib import suppress

from fieldsync.commands.support.secrets import PASSPHRASE, PASSPHRASE_FD

_PR_SET_DUMPABLE = 4
_LONGEST = 32 * 1024  # a pipe holds it without a reader


def harden() -> None:
    """Make files for this user only, and leave no core dump, in which keys and names would be; where the system has such things."""
    os.umask(0o077)
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(ImportError, OSError, AttributeError):  # a limit alone does not hold where dumps go to a program
            import ctypes

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def hide_passphrase() -> None:
    """Start this process anew without the passphrase in its environment, which the system shows for as long as it runs.

    To forget it in `os.environ` would not do: /proc/PID/environ is what the process was started with. A pipe hands it over.
    """
    given = os.environ.get(PASSPHRASE, "").encode(errors="surrogateescape")
    if not given or len(given) > _LONGEST or os.name != "posix" or not sys.executable:
        return
    ours, theirs = os.pipe()
    os.write(theirs, given)
    os.close(theirs)
    os.set_inheritable(ours, True)
    environment = {name: value for name, value in os.environ.items() if name != PASSPHRASE}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, sys.orig_argv, environment | {PASSPHRASE_FD: str(ours)})  # noqa: S606 - our own words
