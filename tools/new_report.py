"""Starts a report: `python -m tools.new_report NAME`. New files only, which run as they are."""

import json
import keyword
import re
import sys
from pathlib import Path
from string import Template

_CHECKOUT = Path(__file__).parents[1]
_TEMPLATES = _CHECKOUT / "tools" / "templates"
_FILES = {
    "sql/{name}/daily.sql": "daily.sql.txt",
    "analytics_lib/reports/{name}.py": "report.py.txt",
    "tests/reports/test_{name}.py": "test.py.txt",
}


def start_report(name: str, checkout: Path = _CHECKOUT) -> list[Path]:
    """Write the files of a report that counts sessions a day; their paths. Raises ValueError for a name in use."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ValueError(f"{name!r} is no name for a report; use lower case letters, digits and _, e.g. agent_versions")
    words = {"name": name, "title": name.replace("_", " ").capitalize(), "question": "How many sessions were there?"}
    texts = {
        path.format(name=name): Template((_TEMPLATES / template).read_text(encoding="utf-8")).substitute(words)
        for path, template in _FILES.items()
    }
    texts[f"notebooks/{name}.ipynb"] = _notebook(name, words["title"])
    taken = [path for path in texts if (checkout / path).exists()]
    if taken:
        raise ValueError(f"{name} exists already: {', '.join(taken)}")
    for path, text in texts.items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(text, encoding="utf-8")
    return [checkout / path for path in texts]


def _notebook(name: str, title: str) -> str:
    """The lead funnel's notebook as far as it is the same for every report."""
    notebook = json.loads((_CHECKOUT / "notebooks" / "lead_funnel.ipynb").read_text(encoding="utf-8"))
    markdown, parameters, load, answer, notice, *_, keep_in_mind, caveats, bill, save = notebook["cells"]
    markdown["source"] = [f"# {title}\n", "\n", "How many sessions were there?"]
    parameters["source"] = [line for line in parameters["source"] if not line.startswith("min_")]
    load["source"] = [*load["source"][:3], f'found = lake.report("{name}", start=start, end=end)']
    shown = [
        {**answer, "id": f"shown-{number}", "source": [source]}
        for number, source in enumerate(('found.chart("daily")', 'found.table("daily")'))
    ]
    notebook["cells"] = [markdown, parameters, load, answer, notice, *shown, keep_in_mind, caveats, bill, save]
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def main(words: list[str]) -> None:
    """Write the report's files and say which; exit 1 where that cannot be."""
    try:
        for path in start_report(words[0] if words else ""):
            print(f"wrote {path.relative_to(_CHECKOUT)}")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
