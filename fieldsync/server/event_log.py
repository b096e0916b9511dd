"""What a running server writes on standard error: sentences, or JSON lines without personal data.

As JSON, every line is an object, also of libraries, warnings and faults. Nothing that a request brought is in it: a library's line is
told by the place that wrote it, a fault by its type and place, a path by the request that it names.
"""

import datetime as dt
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldsync import errors
from fieldsync.wire import routes
from fieldsync.wire.protocols import OLDEST, PROTOCOL

FORMATS = "text", "json"
DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
PLACES = 12  # of a fault: a line stays shorter than what a pipe takes in one piece
NOTED = "device", "commits", "quarantined", "code"
"""What the app notes of a request in its state: the device once it is proved, counts of a sync, the code of a refusal."""
_STDERR = 2
_EVENTS = logging.getLogger("fieldsync.server")
_EVENTS.addHandler(logging.NullHandler())
_WATCHED = "health", "ready", "metrics"  # asked for every few seconds
_REQUESTS = {f"/{name}": (name, 0) for name in _WATCHED} | {
    routes.request_path(name, protocol): (name, protocol)
    for name in (routes.SYNC, routes.HEAL, routes.JOIN, routes.RENEW)
    for protocol in range(OLDEST, PROTOCOL + 1)
}


def write_json_lines(level: str) -> None:
    """Have this process, and its forks, write JSON lines of a level (`debug`, `info`…) and above."""
    least = logging.getLevelNamesMapping().get(level.upper(), logging.DEBUG)
    root = logging.getLogger()
    root.handlers = [_JsonLines()]
    root.setLevel(max(least, logging.WARNING) if least > logging.DEBUG else least)  # libraries tell much
    _EVENTS.setLevel(least)
    logging.captureWarnings(capture=True)
    warnings.simplefilter("default")
    sys.excepthook = lambda _type, fault, _trace: log_fault(fault)
    sys.unraisablehook = lambda unraisable: log_fault(unraisable.exc_value)
    threading.excepthook = lambda raised: log_fault(raised.exc_value)


def writes_json() -> bool:
    """Return whether this process writes JSON lines."""
    return any(isinstance(handler, _JsonLines) for handler in logging.getLogger().handlers)


def tell_event(level: int, event: str, sentence: str, **facts: object) -> None:
    """Write what is told in either form: the sentence, or the event with it and its facts."""
    if writes_json():
        log_event(level, event, message=sentence, **facts)
    else:
        print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - scripts wait for some of them


def tell_listening(address: str) -> None:
    """Tell where the server listens."""
    tell_event(INFO, "listening", f"listening on {address}", address=address)


def log_event(level: int, event: str, **facts: object) -> None:
    """Write an event, where JSON lines are written. Its facts are numbers, our own words, and ids."""
    _EVENTS.log(level, event, extra={"facts": facts})


def log_fault(fault: BaseException | None, event: str = "fault", **facts: object) -> None:
    """Write an exception: the code of one of ours, with its reason, a word of ours; of others the type and where it came from."""
    if isinstance(fault, errors.FieldsyncError):
        reason = {"reason": fault.facts["reason"]} if "reason" in fault.facts else {}
        log_event(ERROR, event, **facts, code=fault.code, **reason)
    elif fault is not None:
        log_event(ERROR, event, **facts, **_describe_fault(fault))


def _describe_fault(fault: BaseException) -> dict[str, object]:
    types, at = [type(fault).__name__], fault.__cause__ or fault.__context__
    while at is not None and len(types) < PLACES:
        types.append(type(at).__name__)
        at = at.__cause__ or at.__context__
    frames = list(traceback.walk_tb(fault.__traceback__))[-PLACES:]
    places = [f"{frame.f_globals.get('__name__')}:{line} {frame.f_code.co_name}" for frame, line in frames]
    return {"types": types, "places": places}


class _JsonLines(logging.Handler):
    """Writes each record in one piece, as several processes share the stream."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record: of our own events their facts, of a library its name and the place that wrote it."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": at.replace("+00:00", "Z"), "level": record.levelname.lower()}
        facts = getattr(record, "facts", None)
        if facts is None:
            line |= {"event": "library", "library": record.name, "place": f"{record.module}:{record.lineno}"}
            if record.exc_info and record.exc_info[1] is not None:
                line |= _describe_fault(record.exc_info[1])
        else:
            line |= {"event": record.msg, **facts}
        os.write(_STDERR, msgspec.json.encode(line | {"pid": os.getpid()}) + b"\n")


class RequestLog:
    """Writes a line for each answered request: which, by whose device, sizes, seconds, status; see `docs/operations.md`."""

    def __init__(self, app: ASGIApp, elapsed: Callable[[], float]) -> None:
        self._app, self._elapsed = app, elapsed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and write its line."""
        started, status, brought, answered = self._elapsed(), 0, 0, 0
        seconds = 0.0

        async def count_received() -> Message:
            nonlocal brought
            message = await receive()
            brought += len(message.get("body", b""))
            return message

        async def count_sent(message: Message) -> None:
            nonlocal status, answered, seconds
            status = message.get("status", status)
            answered += len(message.get("body", b""))
            await send(message)
            seconds = self._elapsed() - started  # what runs behind the answer is nobody's wait

        try:
            await self._app(scope, count_received, count_sent)
        finally:
            name, protocol = _REQUESTS.get(scope["path"], ("other", 0))
            level = ERROR if status >= 500 or not status else DEBUG if name in _WATCHED and status == 200 else INFO
            noted = {key: scope["state"][key] for key in NOTED if key in scope["state"]}
            log_event(
                level, "request", request=name, protocol=protocol, status=status, seconds=round(seconds, 4), bytes_in=brought,
                bytes_out=answered, **noted,
            )  # fmt: skip
