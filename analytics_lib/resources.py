"""Where the files lie that belong to the project and are no Python: SQL, notebooks, samples."""

from pathlib import Path

from analytics_lib.errors import AnalyticsError

_BUNDLE = Path(__file__).parent / "_bundled"
_CHECKOUT = Path(__file__).parent.parent


def path(*parts: str) -> Path:
    """The file or folder, e.g. `path("sql", "views")`: from the installed wheel, else from the checkout.

    Raises AnalyticsError when it is in neither.
    """
    root = _root()
    found = root.joinpath(*parts)
    if not found.exists():
        raise AnalyticsError(
            f"{'/'.join(parts)} is missing from {root}, where analytics_lib keeps its files. "
            f"In a checkout, restore it with git; elsewhere, install analytics_lib again."
        )
    return found


def _root() -> Path:
    """The bundle of a wheel, or the checkout, known by its pyproject.toml: no stranger's `sql` is taken."""
    if _BUNDLE.is_dir():
        return _BUNDLE
    if (_CHECKOUT / "pyproject.toml").is_file():
        return _CHECKOUT
    raise AnalyticsError(
        f"analytics_lib has neither its bundled files ({_BUNDLE}) nor a checkout around it ({_CHECKOUT}). "
        f"Install it from a wheel, or from a git clone with: pip install -e ."
    )
