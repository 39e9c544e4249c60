"""What the rows of `facets` are called: those who write them and those who read them agree here."""

from typing import Final

TAG: Final = "tag"
"""The name of the rows that hold a ticket's tags."""

FIELD: Final = "field."
"""What the names of the rows of custom fields begin with."""

OWN: Final = ("type", "language", "organization")
"""What else every ticket says about itself and lists are narrowed by; each under its own name."""

VALUE_CHARS_MAX: Final = 200
"""Of a longer text so much is compared: PostgreSQL's index rows end at 2,704 bytes."""
