"""Whatever a page names exists: files, functions in them, other pages, alerts; and no page names what it should not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pytest
import yaml

from tests.docs.readme import ROOT

PAGES: Final = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")],
)
_PLACE: Final = re.compile(
    r"`((?:services|shared|deploy|tests|docs)/[\w./-]*[\w/]|[\w-]+\.(?:toml|yml|md))(?::([\w.]+))?`"
)
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")


def places(text: str) -> Iterator[tuple[str, str | None]]:
    """Backticked `path` and `path:name`."""
    for found in _PLACE.finditer(text):
        yield found[1], found[2]


def names_in(tree: ast.AST) -> Iterator[str]:
    """Every class and function, methods as `Class.method`, functions inside functions by their own name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
            yield from (f"{node.name}.{name}" for name in names_in(node))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        else:
            yield from names_in(node)


def absent(text: str) -> list[str]:
    """What the text names and nobody has."""
    missing = []
    for path, name in places(text):
        file = ROOT / path
        if not file.exists():
            missing.append(path)
        elif name is not None and name not in set(names_in(ast.parse(file.read_text()))):
            missing.append(f"{path}:{name}")
    return missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_function_named_exists(page: Path) -> None:
    assert absent(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    dead = []
    for target in _LINK.findall(text):
        path, _, anchor = unquote(target).partition("#")
        if path.startswith(("http://", "https://")):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (
            anchor and anchor not in anchors(file.read_text(encoding="utf-8"))
        ):
            dead.append(target)
    assert dead == []


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_way_of_a_ticket_names_many_functions() -> None:
    """Else the check above could be passed by a page that says nothing."""
    named = [name for _, name in places((ROOT / "docs" / "architecture.md").read_text()) if name]
    assert len(named) > 40


def test_what_is_missing_is_found() -> None:
    assert absent("`shared/topics.py:topic_of` and `shared/service.py:Service.run`") == []
    assert absent("`shared/topics.py:nobody`, `shared/none.py`") == [
        "shared/topics.py:nobody",
        "shared/none.py",
    ]


def test_every_alert_has_advice_and_no_advice_is_left_over() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules" / "alerts.yml").read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("| alert |")[2].partition("\n\n")[0]
    told = {name for row in table.splitlines()[2:] for name in row.split("|")[1].split(", ")}
    assert {name.strip() for name in told} == alerts


def test_decisions_are_numbered_without_a_gap_and_have_the_same_parts() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    for page in pages:
        heads = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert heads == ["Context", "Decision", "Consequences", "Alternatives"], page.name
