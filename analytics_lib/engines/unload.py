"""A large result as one Parquet file: Athena writes its parts on S3, and they are put together here."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from analytics_lib import aws
from analytics_lib.engines.engine import Result
from analytics_lib.engines.glue_tables import RESULTS_FOLDER
from analytics_lib.errors import AwsError, LakeError
from analytics_lib.location import Location
from analytics_lib.remote import s3
from analytics_lib.scratch import Scratch


def to_file(sql: str, location: Location, path: Path, execute: Callable[[str], Result]) -> Result:
    """Write the query's rows to `path`; the parts on S3 are removed again. Raises QueryError, AwsError, OSError."""
    place = f"{RESULTS_FOLDER}unload/{uuid.uuid4()}/"
    try:
        result = execute(
            f"UNLOAD (\n{sql}\n) TO '{location.url(place)}' WITH (format = 'PARQUET', compression = 'ZSTD')"
        )
        with Scratch() as folder:
            if parts := _fetched(location, place, folder):
                _join(parts, path)
                return result
        empty = execute(f"SELECT * FROM (\n{sql}\n) AS answer LIMIT 0")  # no rows, no part: which columns are there?
        frame = empty.frame
        instants = {name: frame[name].dt.tz_localize(None) for name in frame.select_dtypes("datetimetz")}
        pq.write_table(pa.Table.from_pandas(frame.assign(**instants)), path)
        return replace(result, seconds=result.seconds + empty.seconds, cost_usd=result.cost_usd + empty.cost_usd)
    finally:
        with suppress(AwsError, LakeError):  # what stays expires
            s3.remove(location, _parts(location, place))


def _parts(location: Location, place: str) -> list[str]:
    return [place + found.name for found in s3.all_below(location, place)]


def _fetched(location: Location, place: str, folder: Path) -> list[str]:
    keys = [location.key(path) for path in _parts(location, place)]
    files = [str(folder / str(number)) for number in range(len(keys))]
    client = aws.client("s3")
    with aws.explained(f"reading {location.url(place)}"), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key, file: client.download_file(location.bucket, key, file), keys, files))
    return files


def _join(parts: list[str], path: Path) -> None:
    files = [pq.ParquetFile(part, coerce_int96_timestamp_unit="us") for part in parts]  # ns end in the year 2262
    with pq.ParquetWriter(path, files[0].schema_arrow, compression="zstd") as writer:
        for file in files:
            for batch in file.iter_batches():
                writer.write_batch(batch)
