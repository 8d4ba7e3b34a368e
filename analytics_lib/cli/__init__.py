"""The console script `analytics-lib`: parses words, calls the library, prints."""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

from analytics_lib.cli.output import printable
from analytics_lib.errors import AnalyticsError

_INTERRUPTED, _TERMINATED, _FAILED = 130, 143, 1


_signals: list[int] = []  # what asked this process to end: a library may swallow the exception that says so


class _Terminated(BaseException):
    """The process was asked to end; raised so that everything half-done is cleaned up."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its status."""
    gc.disable()  # a command is short: looking for garbage while importing takes a tenth of it
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads would only spin
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    signal.signal(signal.SIGTERM, _terminate)
    if sys.stdout is None or sys.stderr is None:  # closed by whoever started us
        sys.exit(_FAILED)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text
    try:
        status = _run([word for word in words if word != "--debug"])
        sys.stdout.flush()
        gc.freeze()  # nor is it worth looking for when the process ends
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except (KeyboardInterrupt, _Terminated) as stop:
        status = _TERMINATED if isinstance(stop, _Terminated) else _INTERRUPTED
        _say("interrupted")
    except Exception as error:
        status = getattr(error, "exit_status", _FAILED)
        _say("interrupted" if _signals else _message(error))
        if debug:
            traceback.print_exc()
    sys.exit(_TERMINATED if _signals else status)


def _run(words: list[str]) -> int:
    try:
        import click
    except ImportError:
        _say("the commands need the extra `analytics`; install it with: pip install 'analytics_lib[analytics]'")
        return _FAILED
    from analytics_lib.cli import commands

    try:
        status: int | None = commands.group.main(words, prog_name="analytics-lib", standalone_mode=False)
    except click.Abort:
        raise KeyboardInterrupt from None
    except SystemExit:  # so click ends when the reader of our output has gone
        raise BrokenPipeError from None
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return status or 0


def _message(error: Exception) -> str:
    if isinstance(error, AnalyticsError):
        return str(error)
    if isinstance(error, ImportError) and error.name:
        return f"the package {error.name} is missing; install it with: pip install 'analytics_lib[analytics]'"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'writing the output'}: {error.strerror}"
    return f"{type(error).__name__}: {error} (this is a bug; run again with --debug and report what it prints)"


def _say(message: str) -> None:
    print(printable(f"analytics-lib: {message}", keep="\n"), file=sys.stderr)


def _terminate(number: int, frame: FrameType | None) -> None:
    _signals.append(number)
    raise _Terminated
