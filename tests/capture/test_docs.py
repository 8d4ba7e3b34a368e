"""The page about the agent says what the example does."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
PAGE = (CHECKOUT / "docs" / "agent.md").read_text(encoding="utf-8")
EXAMPLE = (CHECKOUT / "examples" / "agent.py").read_text(encoding="utf-8").splitlines()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS[:2])
def test_the_page_shows_lines_of_the_example(snippet: str) -> None:
    example = {line.partition("  #")[0].strip() for line in EXAMPLE}
    assert {line.strip() for line in snippet.splitlines()} - example == set()


def test_the_recorder_is_imported_where_the_agent_s_module_is_loaded() -> None:
    assert "from analytics_lib.capture import Recorder" in EXAMPLE
    assert "drops them where its own level is above INFO" in PAGE


def test_ten_lines_attach_the_recorder() -> None:
    assert len([line for line in EXAMPLE if re.search("recorder", line, re.IGNORECASE)]) <= 10


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", PAGE)
    assert [link for link in links if not (CHECKOUT / "docs" / link).exists()] == []
