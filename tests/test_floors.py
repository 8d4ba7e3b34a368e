"""The house has floors: a module imports its own room and lower floors, nothing above or beside it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PACKAGE = "analytics_lib"

# Every room, by the floor on which it lies. `__init__` is the library's face, `open()`.
FLOORS = {
    "errors": 1,
    "frames": 1,
    "gzipped": 1,
    "location": 1,
    "numerals": 1,
    "period": 1,
    "phrases": 1,
    "record": 1,
    "resources": 1,
    "schema": 1,
    "scratch": 1,
    "sqlfile": 1,
    "aws": 2,
    "capture": 2,
    "delivery": 2,
    "prices": 2,
    "settings": 2,
    "lake": 3,
    "monthly_cost": 3,
    "samples": 3,
    "remote": 4,
    "engines": 5,
    "logs": 5,
    "reports": 6,
    "upkeep": 6,
    "workspace": 7,
    "__init__": 8,
    "render": 8,
    "cli": 9,
    "service": 9,
    "__main__": 10,
}
# These run in the agent and in the Lambda, where nothing is installed. What they need from there (LiveKit,
# boto3) they import inside the functions that use it.
BARE = {"errors", "gzipped", "location", "numerals", "period", "record", "resources", "schema", "capture", "delivery"}
HEAVY = {"awswrangler", "click", "duckdb", "matplotlib", "msgspec", "numpy", "pandas", "pyarrow"}

Imports = dict[str, set[str]]


def read_imports(package: Path, *, bare: bool = False) -> Imports:
    """The modules that each module of `package` imports: anywhere in it, or (`bare`) when it is loaded."""
    trees = {module_name(file, package): file for file in package.rglob("*.py") if "_bundled" not in file.parts}
    return {
        name: set(imported_modules(ast.parse(file.read_text()), name, file.name == "__init__.py", set(trees), bare))
        for name, file in sorted(trees.items())
    }


def module_name(file: Path, package: Path) -> str:
    """`lake.files` for lake/files.py, `lake` for its __init__.py, `__init__` for the package's own."""
    parts = file.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imported_modules(tree: ast.Module, name: str, is_package: bool, known: set[str], bare: bool) -> Iterator[str]:
    """Own modules without the package's name (`lake.files`), foreign ones as `:pandas`."""
    for node in loaded_nodes(tree) if bare else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (own_or_foreign(alias.name, None, known) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                home = [PACKAGE, *([] if name == "__init__" else name.split("."))]
                base = home[: len(home) + (name == "__init__" or is_package) - node.level]
                source = ".".join([*base, *([source] if source else [])])
            yield from (own_or_foreign(source, alias.name, known) for alias in node.names)


def loaded_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is loaded: no function's body, nothing only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from (inner for branch in node.orelse for inner in (branch, *loaded_nodes(branch)))
            continue
        yield node
        yield from loaded_nodes(node)


def own_or_foreign(source: str, member: str | None, known: set[str]) -> str:
    top, _, inside = source.partition(".")
    if top != PACKAGE:
        return f":{top}"
    deeper = ".".join(filter(None, [inside, member]))
    return deeper if member and deeper in known else inside or "__init__"


def room_of(module: str) -> str:
    return module.partition(".")[0]


def trespasses(imports: Imports) -> list[str]:
    """A sentence for every unknown room and for every import that leads up, or sideways into another."""
    found = [
        f"{module}: the room `{room_of(module)}` has no floor; give it one: FLOORS in tests/test_floors.py"
        for module in imports
        if room_of(module) not in FLOORS
    ]
    for module, targets in imports.items():
        own = [target for target in sorted(targets) if not target.startswith(":")]
        found += [f"{module} imports {target}" for target in own if not may_import(room_of(module), room_of(target))]
    return found


def may_import(room: str, target: str) -> bool:
    if room == target or not {room, target} <= FLOORS.keys():
        return True
    return FLOORS[target] < FLOORS[room] or FLOORS[room] == FLOORS[target] == 1


def not_standard(imports: Imports) -> list[str]:
    foreign = {module: {name[1:] for name in targets if name[0] == ":"} for module, targets in imports.items()}
    return [
        f"{module} imports {name}"
        for module, names in foreign.items()
        for name in sorted(names - sys.stdlib_module_names)
    ]


def python(*arguments: str) -> str:
    """What a fresh interpreter prints that knows this checkout, but no PYTHONPATH."""
    program = "\n".join(["import sys", f"sys.path.insert(0, {str(CHECKOUT)!r})", arguments[-1]])
    command = [sys.executable, "-I", *arguments[:-1], "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def written(folder: Path, modules: dict[str, str]) -> Imports:
    """The imports of a small package with these files."""
    for name, text in modules.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return read_imports(folder)


def test_every_module_imports_its_own_room_and_lower_floors_only() -> None:
    assert trespasses(read_imports(CHECKOUT / PACKAGE)) == []


def test_the_library_imports_nothing_that_only_a_checkout_has() -> None:
    beside = {":benchmarks", ":examples", ":infra", ":tests", ":tools"}
    imports = read_imports(CHECKOUT / PACKAGE)
    assert {module: found for module, targets in imports.items() if (found := targets & beside)} == {}


def test_the_ground_floor_has_no_circles() -> None:
    ground = {name: targets for name, targets in read_imports(CHECKOUT / PACKAGE).items() if FLOORS.get(name) == 1}
    TopologicalSorter(ground).prepare()


def test_what_runs_in_the_agent_and_the_lambda_loads_the_standard_library_only() -> None:
    loaded = read_imports(CHECKOUT / PACKAGE, bare=True)
    assert not_standard({name: targets for name, targets in loaded.items() if room_of(name) in BARE}) == []


def test_it_loads_where_nothing_is_installed() -> None:
    modules = [name for name in read_imports(CHECKOUT / PACKAGE) if room_of(name) in BARE]
    python("-S", "\n".join(f"import {PACKAGE}.{name}" for name in modules))


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert python(f"import {PACKAGE}\nprint(*sorted({HEAVY!r} & sys.modules.keys()))") == ""


def test_a_question_goes_to_athena_before_pandas_loads() -> None:
    loaded = f"from {PACKAGE} import workspace\nfrom {PACKAGE}.engines import athena\n"
    loaded += f"from {PACKAGE}.reports import catalogue\nfor name in catalogue.names(): catalogue.get(name)\n"
    assert python(f"{loaded}print(*sorted({{'numpy', 'pandas', 'pyarrow'}} & sys.modules.keys()))") == ""


def test_an_import_that_leads_up_is_found_wherever_it_hides(tmp_path: Path) -> None:
    imports = written(
        tmp_path,
        {
            "period.py": "def late():\n    from analytics_lib.lake import files",
            "lake/files.py": "from analytics_lib import workspace",
            "lake/reader.py": "from ..cli import main\nfrom . import files",
            "workspace.py": "import analytics_lib.lake.files",
        },
    )
    assert trespasses(imports) == [
        "lake.files imports workspace",
        "lake.reader imports cli",
        "period imports lake.files",
    ]


def test_an_import_of_another_room_on_the_same_floor_is_found(tmp_path: Path) -> None:
    imports = written(tmp_path, {"capture/log.py": "import analytics_lib.delivery.handler", "delivery/handler.py": ""})
    assert trespasses(imports) == ["capture.log imports delivery.handler"]


def test_a_room_without_a_floor_is_told_where_to_get_one(tmp_path: Path) -> None:
    (sentence,) = trespasses(written(tmp_path, {"attic.py": ""}))
    assert sentence == "attic: the room `attic` has no floor; give it one: FLOORS in tests/test_floors.py"


def test_a_circle_on_the_ground_floor_is_found(tmp_path: Path) -> None:
    imports = written(
        tmp_path, {"schema.py": "import analytics_lib.record", "record.py": "import analytics_lib.schema"}
    )
    with pytest.raises(CycleError):
        TopologicalSorter(imports).prepare()


def test_a_late_import_is_not_loaded_and_an_early_one_is(tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "schema.py": "if TYPE_CHECKING:\n    import pandas\ntry:\n    import numpy\nfinally:\n    pass",
            "record.py": "def late():\n    import pandas\nclass Early:\n    import pyarrow",
        },
    )
    assert not_standard(read_imports(tmp_path, bare=True)) == [
        "record imports pyarrow",
        "schema imports numpy",
    ]
