"""README.md as the tests read it: its fenced blocks, and how shown output is compared with printed output."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
ELLIPSIS: Final = "…"

_FENCE: Final = re.compile(r"^```(\S*)[ ]?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the word after it, what is in it."""

    language: str
    mark: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*found.groups()) for found in _FENCE.finditer(page)]


def tour(page: str) -> Iterator[tuple[str, list[str]]]:
    """Each command block of the tour with the lines that it shows below (none: nothing is shown)."""
    found = blocks(page)
    for block, after in zip(found, [*found[1:], Block("", "", "")], strict=True):
        if (block.language, block.mark) == ("sh", "tour"):
            shown = after.text.splitlines() if after.language == "text" else []
            yield block.text, shown


def missing(shown: list[str], printed: str) -> list[str]:
    """The shown lines that were not printed, in order; `…` stands for anything, alone on a line for any lines."""
    lines = iter(printed.splitlines())
    wanted = [line for line in shown if line.strip() not in {"", ELLIPSIS}]
    for place, line in enumerate(wanted):
        pattern = ".*".join(re.escape(part) for part in line.rstrip().split(ELLIPSIS))
        if not any(re.fullmatch(pattern, one.rstrip()) for one in lines):
            return wanted[place:]
    return []
