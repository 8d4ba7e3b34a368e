"""What is written about the environment in several files says the same everywhere."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parent.parent
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.+!]+)")

# conda-forge calls these differently (matplotlib there brings Qt along).
CONDA_NAMES = {
    "python-duckdb": "duckdb",
    "matplotlib-base": "matplotlib",
    "playwright-python": "playwright",
}
CONDA_ONLY = {"python", "pip"}
COMMANDS = ("report", "test", "check", "bench", "lab", "docs", "generate", "lock", "new-report", "clean")

Bounds = dict[str, SpecifierSet]


def bounds(requirements: list[str]) -> Bounds:
    parsed = map(Requirement, requirements)
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in parsed}


def declared() -> Bounds:
    """Every dependency in pyproject.toml; the extra `all` names the other extras only."""
    extras = PROJECT["optional-dependencies"]
    return bounds([requirement for extra, listed in extras.items() if extra != "all" for requirement in listed])


def pins() -> dict[str, str]:
    found = map(PIN.fullmatch, pinned_lines())
    return {canonicalize_name(pin["name"]): pin["version"] for pin in found if pin}


def pinned_lines() -> list[str]:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def conda_environment() -> tuple[list[str], list[str]]:
    """The requirements for conda and those for pip in environment.yml."""
    listed = yaml.safe_load((CHECKOUT / "environment.yml").read_text())["dependencies"]
    (for_pip,) = (entry["pip"] for entry in listed if isinstance(entry, dict))
    return [entry for entry in listed if isinstance(entry, str)], for_pip


def test_what_runs_in_the_agent_and_the_lambda_brings_no_package_along() -> None:
    assert PROJECT["dependencies"] == []


def test_the_extra_all_is_all_extras() -> None:
    (all_of_it,) = map(Requirement, PROJECT["optional-dependencies"]["all"])
    assert all_of_it.name == PROJECT["name"]
    assert all_of_it.extras == PROJECT["optional-dependencies"].keys() - {"all"}


def test_the_lock_holds_names_and_versions_only() -> None:
    assert [line for line in pinned_lines() if not PIN.fullmatch(line)] == []
    assert canonicalize_name(PROJECT["name"]) not in pins()
    assert len(pins()) == len(pinned_lines())


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    locked = pins()
    missed = {name: locked.get(name) for name, bound in declared().items() if locked.get(name, "0") not in bound}
    assert missed == {}, "run: make lock"


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or sys.platform != "linux",
    reason="the lock is made with Python 3.11 on Linux",
)
def test_everything_that_the_installed_dependencies_need_is_pinned() -> None:
    locked = pins()
    waiting = [Requirement(name) for name in declared()]
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        for extra in {"", *requirement.extras}:
            wanted = canonicalize_name(requirement.name) + (f"[{extra}]" if extra else "")
            if wanted not in seen:
                seen.add(wanted)
                waiting += needed_by(requirement.name, extra)
    assert {name for name in seen if "[" not in name} - locked.keys() == set(), "run: make lock"


def needed_by(name: str, extra: str) -> list[Requirement]:
    try:
        requirements = map(Requirement, metadata.requires(name) or [])
    except metadata.PackageNotFoundError:  # an extra that is not installed here, such as lab
        return []
    return [wanted for wanted in requirements if not wanted.marker or wanted.marker.evaluate({"extra": extra})]


def test_conda_users_get_the_same_packages_with_the_same_bounds() -> None:
    for_conda, for_pip = conda_environment()
    assert for_pip[-1] == "--editable ."
    listed = bounds([entry for entry in for_conda if Requirement(entry).name not in CONDA_ONLY] + for_pip[:-1])
    assert {CONDA_NAMES.get(name, name): bound for name, bound in listed.items()} == declared()


def test_conda_users_get_a_python_that_the_project_supports() -> None:
    for_conda, _ = conda_environment()
    assert bounds(for_conda)["python"] == SpecifierSet(PROJECT["requires-python"])


def test_make_alone_lists_the_commands_with_a_line_each() -> None:
    # Without what an outer `make test` hands down, or make would print its folder too.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # not of `make test`
    done = subprocess.run(["make"], cwd=CHECKOUT, env=own, capture_output=True, text=True, check=True)
    listed = done.stdout.splitlines()
    named = {line.split()[1]: line.split()[2:] for line in listed}
    assert {command for command in COMMANDS if not named.get(command)} == set()
    assert all(line.startswith("make ") for line in listed)


@pytest.mark.parametrize("file", ["constraints.txt", "environment.yml", "Makefile", ".ci/run", "pyproject.toml"])
def test_no_host_is_named_where_packages_are_installed(file: str) -> None:
    assert re.findall(r"\w+://\S+", (CHECKOUT / file).read_text()) == []
