"""A large result as one Parquet file: Athena writes its parts on S3, and they are put together here."""

import os
import tempfile
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from analytics_lib import aws
from analytics_lib.engines.engine import Result
from analytics_lib.engines.workgroup import RESULTS_FOLDER
from analytics_lib.lake.s3 import Location


def to_file(sql: str, location: Location, path: Path, execute: Callable[[str], Result]) -> Result:
    """Write the query's rows to `path`; the parts on S3 are removed again. Raises QueryError, AwsError, OSError."""
    place = f"{RESULTS_FOLDER}unload/{uuid.uuid4()}/"
    target = location.url(place)
    result = execute(f"UNLOAD (\n{sql}\n) TO '{target}' WITH (format = 'PARQUET', compression = 'ZSTD')")
    client = aws.client("s3")
    with tempfile.TemporaryDirectory(prefix="analytics-lib-") as folder, aws.explained(f"reading {target}"):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=location.bucket, Prefix=location.key(place))
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        parts = [os.path.join(folder, str(number)) for number in range(len(keys))]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key, part: client.download_file(location.bucket, key, part), keys, parts))
        if parts:
            _join(parts, path)
        else:  # no rows, no part: only the columns are known
            empty = execute(f"SELECT * FROM (\n{sql}\n) AS answer LIMIT 0")
            pq.write_table(pa.Table.from_pandas(empty.frame), path)
        for first in range(0, len(keys), 1000):
            named = [{"Key": key} for key in keys[first : first + 1000]]
            client.delete_objects(Bucket=location.bucket, Delete={"Objects": named, "Quiet": True})
    return result


def _join(parts: list[str], path: Path) -> None:
    with pq.ParquetWriter(path, pq.read_schema(parts[0]), compression="zstd") as writer:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches():
                    writer.write_batch(batch)
