"""Markdown that reads well as text too."""

from collections.abc import Iterable, Sequence


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; line breaks and bars inside cells are made harmless."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(text: str) -> str:
    """Text in code letters; nothing stays nothing."""
    return f"`{text}`" if text else ""


def page(title: str, introduction: str, *sections: str, source: str, command: str) -> str:
    """A whole page that says where it comes from.

    Args:
        title: of the page.
        introduction: what a reader finds here.
        sections: everything below, each with its own heading.
        source: what it was made from.
        command: makes it again.
    """
    origin = f"<!-- Made from {source} by `{command}`; change the source, then run it again. -->"
    return "\n\n".join([origin, f"# {title}", introduction, *sections]) + "\n"


def paragraphs(docstring: str | None) -> str:
    """A docstring as Markdown paragraphs."""
    blocks = (docstring or "").strip().split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in block.splitlines()) for block in blocks)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
