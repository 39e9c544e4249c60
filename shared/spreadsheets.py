"""Text on its way into a spreadsheet: nothing that people wrote is calculated there."""

from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""How a spreadsheet recognises a formula (OWASP, CSV injection); the full-width forms are read as formulas too."""


def harmless(text: str) -> str:
    """The text of a cell; one that a spreadsheet would calculate gets an apostrophe in front."""
    return f"'{text}" if text.startswith(_FORMULA) else text
