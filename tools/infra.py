"""What infra/template.yaml repeats of the schema and of sql/insights/, written between its marks."""

import json
import re
import textwrap
from pathlib import Path

from analytics_lib.logs import insights
from analytics_lib.schema import Column, Group, record_columns

TEMPLATE = "infra/template.yaml"


def texts(checkout: Path) -> dict[str, str]:
    """Path in the checkout -> text of the template: between marks what follows from elsewhere, the rest as it is."""
    text = (checkout / TEMPLATE).read_text(encoding="utf-8")
    text = _between("columns", "".join(map(_column, record_columns()[:-1])), text)  # the last is dt, the partition
    text = _between("queries", "\n".join(map(_definition, insights.names())), text)
    shown = (name for name in insights.names() if f"${{{name}}}" in text)
    return {TEMPLATE: _between("widgets", "".join(map(_widget_query, shown)), text)}


def _between(mark: str, content: str, text: str) -> str:
    """The text with that content between `# <mark>` and `# </mark>`, indented as they are."""
    marked = re.compile(rf"^( *)# <{mark}>\n.*?^ *# </{mark}>\n", re.DOTALL | re.MULTILINE)
    return marked.sub(
        lambda found: textwrap.indent(f"# <{mark}>\n{content}# </{mark}>\n", found[1]),
        text,
    )


def _column(column: Column | Group) -> str:
    return f'- {{Name: {column.name}, Type: "{column.glue_type}"}}\n'


def _definition(name: str) -> str:
    """A saved query; Logs Insights shows it in a folder named after the stack."""
    title = "".join(word.capitalize() for word in name.split("_"))
    return (
        f"{title}Query:\n"
        "  Type: AWS::Logs::QueryDefinition\n"
        "  Properties:\n"
        f"    Name: !Sub ${{AWS::StackName}}/{name}\n"
        "    LogGroupNames: [!Ref LogGroupName]\n"
        "    QueryString: |\n" + textwrap.indent(insights.text(name), " " * 6)
    )


def _widget_query(name: str) -> str:
    """A query as a text inside the dashboard's JSON: on one line, which YAML folds, and without comments."""
    code = (line.strip() for line in insights.text(name).splitlines() if line and not line.startswith("#"))
    return f"{name}: >-\n" + "".join(f"  {json.dumps(line)[1:-1]}\n" for line in code)
