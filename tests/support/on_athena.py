"""Lakes of tests on the local Athena: a folder goes to S3, its database is set up, and the library opens it."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import analytics_lib
from analytics_lib import aws, settings
from analytics_lib.location import Location
from analytics_lib.upkeep import setup
from analytics_lib.workspace import Lake


def uploaded(root: Path, bucket: str, prefix: str | None = None) -> Location:
    """Every file below the folder, at its path below a prefix of its own."""
    location = Location(bucket, prefix or f"lake-{uuid.uuid4().hex[:8]}")
    client = aws.client("s3")
    files = [file for file in (root / "sessions").rglob("*") if file.is_file()]

    def put(file: Path) -> None:
        key = location.key(file.relative_to(root).as_posix())
        client.put_object(Bucket=location.bucket, Key=key, Body=file.read_bytes())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, files))
    if not files:  # a folder is nothing on S3
        client.put_object(Bucket=location.bucket, Key=location.key("sessions/dt=2026-01-01/.keep"), Body=b"")
    return location


def athena_of(location: Location) -> settings.Athena:
    """A database and workgroup of the lake's own."""
    name = location.prefix.replace("-", "_").replace("/", "_")
    return settings.Athena(database=name, workgroup=name, max_usd=1.0, fresh=True)


def set_up(root: Path, bucket: str) -> Lake:
    """The folder's lake on S3, set up and opened with Athena."""
    location = uploaded(root, bucket)
    athena = athena_of(location)
    setup.setup(location, athena)
    return analytics_lib.open(
        str(location), "athena", database=athena.database, workgroup=athena.workgroup, max_usd=1.0, fresh=True
    )


def whole_days(root: Path, target: Path) -> Path:
    """The same lines, in one file a day: as many records, a fraction of the requests."""
    for folder in sorted((root / "sessions").glob("dt=*")):
        lines = [file.read_bytes().removesuffix(b"\n") for file in sorted(folder.glob("*.json"))]
        written = target / "sessions" / folder.name / "records.jsonl"
        written.parent.mkdir(parents=True)
        written.write_bytes(b"\n".join(lines) + b"\n")
    return target
