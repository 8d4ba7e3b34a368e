"""The Trino server: where it lies, how it is fetched, started and asked."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = "470"
NEEDS_JAVA = 23
HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "analytics_lib" / f"trino-server-{VERSION}"
_JVM = ["-Xmx2G", "-Xss8M", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto"]
_OPTIONS = ["--add-modules=jdk.incubator.vector", "-Djdk.attach.allowAttachSelf=true"]
_PLUGINS = {"hive", "memory"}


def java() -> Path | None:
    """The newest Java on this machine that Trino runs on."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    if on_path := shutil.which("java"):
        homes.append(Path(on_path).resolve().parents[1])
    homes += Path("/usr/lib/jvm").glob("*")
    homes += Path("/Library/Java/JavaVirtualMachines").glob("*/Contents/Home")
    known = {home / "bin" / "java": _java_version(home) for home in homes}
    newest = max(known, key=lambda path: known[path], default=None)
    return newest if newest and known[newest] >= NEEDS_JAVA else None


def _java_version(home: Path) -> int:
    try:
        found = re.search(r'JAVA_VERSION="(\d+)', (home / "release").read_text())
    except OSError:
        return 0
    return int(found[1]) if found and (home / "bin" / "java").exists() else 0


def missing() -> str | None:
    """What this machine lacks to run Trino, and how to get it, or None."""
    if java() is None:
        return (
            f"Trino {VERSION} needs Java {NEEDS_JAVA} or newer, and none was found in JAVA_HOME, on the PATH or in"
            " /usr/lib/jvm. Install one (Debian: apt install openjdk-25-jre-headless; elsewhere: Temurin 25)."
        )
    if not HOME.exists():
        return f"Trino {VERSION} is not in {HOME}. Fetch it: make trino"
    return None


def fetch() -> None:
    """Fetch Trino with Maven, as Maven is configured on this machine, and unpack what is needed of it."""
    if HOME.exists() or java() is None:
        return
    if shutil.which("mvn") is None:
        raise SystemExit("Trino is fetched with Maven, and there is no mvn on the PATH (Debian: apt install maven).")
    print(f"Fetching Trino {VERSION} with Maven into {HOME} (965 MB, once) ...", flush=True)
    HOME.parent.mkdir(parents=True, exist_ok=True)
    work = HOME.parent / f"{HOME.name}.{os.getpid()}"
    try:
        artifact = f"-Dartifact=io.trino:trino-server:{VERSION}:tar.gz"
        command = ["mvn", "-q", "-B", "dependency:copy", artifact, f"-DoutputDirectory={work}"]
        subprocess.run(command, check=True, cwd=HOME.parent)
        archive = work / f"trino-server-{VERSION}.tar.gz"
        with tarfile.open(archive) as packed:
            packed.extractall(work, filter="tar")  # everything: jars are hard links into other plugins
        for plugin in (work / HOME.name / "plugin").iterdir():
            if plugin.name not in _PLUGINS:
                shutil.rmtree(plugin)
        (work / HOME.name).rename(HOME)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class TrinoError(Exception):
    """A query that Trino refused or gave up, in Athena's words."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('errorName', 'GENERIC_INTERNAL_ERROR')}: {error.get('message', '')}")
        self.by_user = error.get("errorType") == "USER_ERROR"


@dataclass
class Answer:
    """What a query gave so far: columns with their type signatures, rows of JSON values, and Trino's statistics."""

    id: str = ""
    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    stats: dict[str, Any] = field(default_factory=dict)


class Trino:
    """A running Trino whose catalogue and files are those of the moto server at `endpoint`."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.log = folder / "trino.log"
        _configure(folder, self.url, endpoint)
        command = [str(java()), *_JVM, *_OPTIONS, f"-Dconfig={folder}/config.properties"]
        command += [f"-Dlog.levels-file={folder}/log.properties", "-cp", f"{HOME}/lib/*", "io.trino.server.TrinoServer"]
        # The shell beside it kills Trino when this process is gone, however it went: then its pipe is closed.
        guard = 'exec 3<&0; { cat <&3; kill -9 $$; } >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", guard, "sh", *command], stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=HOME
            )

    def wait(self, seconds: float = 120) -> None:
        """Wait until queries run. Raises TimeoutError with the end of Trino's log."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, http.client.HTTPException, TrinoError, ValueError):
                if not self._call("GET", f"{self.url}/v1/info")["starting"]:
                    self.run("CREATE SCHEMA IF NOT EXISTS unload.work")
                    self.run("CREATE TABLE unload.work.ready AS SELECT 1 AS one")  # fails until a worker is known
                    return
            time.sleep(0.2)
        raise TimeoutError(f"Trino did not start. The end of its log:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def run(
        self,
        sql: str,
        *,
        catalog: str = "awsdatacatalog",
        schema: str = "default",
        session: str = "",
        watch: Callable[[Answer], None] = lambda answer: None,
    ) -> Answer:
        """Run a query to its end; `watch` sees each step and may raise, which ends the query on Trino, too."""
        headers = {"X-Trino-Catalog": catalog, "X-Trino-Schema": schema, "X-Trino-Session": session}
        reply = self._call("POST", f"{self.url}/v1/statement", sql.encode(), headers)
        answer = Answer(reply["id"])
        while True:
            answer.columns = reply.get("columns") or answer.columns
            answer.rows += reply.get("data", ())
            answer.stats = reply["stats"]
            if "error" in reply:
                raise TrinoError(reply["error"])
            try:
                watch(answer)
            except BaseException:
                self._call("DELETE", f"{self.url}/v1/query/{answer.id}")
                raise
            if "nextUri" not in reply:
                return answer
            reply = self._call("GET", reply["nextUri"])

    def _call(self, method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        headers = {"X-Trino-User": "athena", "X-Trino-Time-Zone": "UTC", **(headers or {})}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        while True:
            try:
                with urllib.request.urlopen(request, timeout=600) as reply:
                    text = reply.read()
                    return json.loads(text, parse_float=str) if text else {}
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in (502, 503, 504):  # these mean: again
                        raise
            time.sleep(0.1)


def _configure(folder: Path, url: str, endpoint: str) -> None:
    s3 = f"""
connector.name=hive
fs.native-s3.enabled=true
s3.endpoint={endpoint}
s3.region=us-east-1
s3.path-style-access=true
s3.aws-access-key=testing
s3.aws-secret-key=testing
hive.recursive-directories=true
hive.max-partitions-per-writers=100
"""
    glue = f"""
hive.metastore=glue-v1
hive.metastore.glue.endpoint-url={endpoint}
hive.metastore.glue.region=us-east-1
hive.metastore.glue.aws-access-key=testing
hive.metastore.glue.aws-secret-key=testing
hive.metastore.glue.partitions-segments=1
hive.metastore-cache-ttl=0s
hive.partition-projection-enabled=true
"""
    files = f"""
hive.metastore=file
hive.metastore.catalog.dir=file://{folder}/unload
fs.hadoop.enabled=true
hive.non-managed-table-writes-enabled=true
"""
    server = f"""
node.id=local
node.environment=local
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={url.rpartition(":")[2]}
discovery.uri={url}
catalog.config-dir={folder}/catalog
query.max-length=300000
"""
    (folder / "catalog").mkdir(parents=True)
    (folder / "unload").mkdir()
    (folder / "config.properties").write_text(server)
    (folder / "log.properties").write_text("io.trino=WARN\n")
    (folder / "catalog" / "awsdatacatalog.properties").write_text(s3 + glue)
    (folder / "catalog" / "unload.properties").write_text(s3 + files)
