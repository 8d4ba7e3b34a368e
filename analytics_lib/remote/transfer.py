"""Objects of S3 fetched many at a time, each into its place by one rename: complete or absent."""

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from analytics_lib import aws
from analytics_lib.errors import AwsError, LakeError
from analytics_lib.location import Location

T = TypeVar("T")
R = TypeVar("R")
_SIDE_BY_SIDE = 32  # beyond it boto3's own work for a request, some 1.5 ms, is the limit
_AT_ONCE_BYTES = 1 << 20
_ATTEMPTS = 4  # boto3 repeats requests by itself, but not an answer that breaks off
_BROKEN_OFF = {"FlexibleChecksumError", "IncompleteReadError", "ReadTimeoutError", "ResponseStreamingError"}
_SECONDS_TO_STOP = 2.0
_one_renames = threading.Lock()  # many at once keep each other waiting in the file system, for twice the time


class Stopped(Exception):  # noqa: N818 - a request of ours, no failure
    """The work was given up by whoever asked for it."""


def fetch(location: Location, path: str, to: Path, unfinished: Path, stopped: threading.Event) -> None:
    """Put the object at that path below the root into the file `to`; it is written to a file in `unfinished` first.

    Raises LakeError where the object is gone, AwsError where S3 refuses, Stopped, OSError.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            written = unfinished / str(threading.get_ident())
            _write(location, path, written, stopped)
            if stopped.is_set():
                raise Stopped
            with _one_renames:
                os.replace(written, to)
            return
        except AwsError as error:
            if error.code == "NoSuchKey":
                raise LakeError(
                    f"{location.url(path)} was removed while the lake was being copied; what is complete is kept, "
                    "repeat the command to continue"
                ) from error
            if error.code not in _BROKEN_OFF or attempt == _ATTEMPTS:
                raise


def _write(location: Location, path: str, to: Path, stopped: threading.Event) -> None:
    with aws.explained(f"copying {location.url(path)}"):
        answer = aws.client("s3").get_object(Bucket=location.bucket, Key=location.key(path))
        # not `with answer["Body"]`, which gives the stream below it: that takes a part for the whole
        with closing(answer["Body"]) as body, to.open("wb") as file:
            while chunk := body.read(_AT_ONCE_BYTES):
                if stopped.is_set():
                    raise Stopped
                file.write(chunk)


def side_by_side(work: Callable[[T, threading.Event], R], tasks: Iterator[T]) -> Generator[R, None, None]:
    """What `work` returns for each task, in the order in which they end. The first error ends all and is raised.

    When this generator is closed, the threads end after what they are doing, of which `work` is told by the event.
    They do not keep the program from ending.
    """
    ended: SimpleQueue[R | BaseException | None] = SimpleQueue()  # None: a thread has ended
    one_asks, stopped = threading.Lock(), threading.Event()

    def run() -> None:
        try:
            while not stopped.is_set():
                with one_asks:
                    task = next(tasks)
                ended.put(work(task, stopped))
        except StopIteration:
            pass
        except BaseException as error:
            ended.put(error)
        finally:
            ended.put(None)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(_SIDE_BY_SIDE)]
    try:
        for thread in threads:
            thread.start()
        running = len(threads)
        while running:
            result = ended.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                running -= 1
            else:
                yield result
    finally:
        stopped.set()
        until = time.monotonic() + _SECONDS_TO_STOP
        for thread in threads:
            if thread.ident:
                thread.join(max(0.0, until - time.monotonic()))
