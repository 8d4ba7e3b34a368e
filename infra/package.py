"""Packs the delivery function: `python infra/package.py [ZIP]`, by default build/lambda.zip.

Only the modules that the handler loads, nothing that is installed (the function's runtime has boto3). The same sources
give the same bytes: no time of a file goes in, names are in order.
"""

import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

HANDLER = "analytics_lib.delivery.handler"


def modules() -> list[Path]:
    """The handler's module and all of this project that it loads, by path below the checkout."""
    __import__(HANDLER)
    loaded = [module for name, module in sys.modules.items() if name.partition(".")[0] == "analytics_lib"]
    return sorted(Path(module.__file__).relative_to(CHECKOUT) for module in loaded if module.__file__)


def pack(target: Path) -> None:
    """Write the zip."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w") as archive:
        for path in modules():
            entry = zipfile.ZipInfo(path.as_posix())  # of 1 January 1980
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, wherever it is made
            archive.writestr(entry, (CHECKOUT / path).read_bytes(), zipfile.ZIP_DEFLATED, 9)
    unfinished.replace(target)


if __name__ == "__main__":
    zip_file = Path(sys.argv[1]) if sys.argv[1:] else CHECKOUT / "build" / "lambda.zip"
    pack(zip_file)
    print(f"{zip_file}: {zip_file.stat().st_size:,} bytes, handler {HANDLER}.handle")
