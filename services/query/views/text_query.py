"""Words that people search for as one query of PostgreSQL's: in every language that texts are kept in."""

import re
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from services.query.languages import ALL, EVERY_WORD

# Of a tsquery as text: words, "follows", "not".
_TOKENS: Final = re.compile(r"'(?:[^']|'')*'|<(?:-|\d+)>|!")
_EXCLUDED: Final = re.compile(r'(?<!\S)-("[^"]*"|\S+)')

# Each form once: the planner adds up the chances of two that are the same.
_FORMS: Final[LiteralString] = """
SELECT DISTINCT websearch_to_tsquery(words::regconfig, %s)::text AS form FROM unnest(%s::text[]) AS words ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class TextQuery:
    """As text of type tsquery. `wanted`: without what is excluded, for marking it in a text."""

    whole: str
    wanted: str

    @property
    def in_any_order(self) -> str:
        """The same without phrases, and so perhaps of more texts: an index knows words, and not where they stand."""
        is_phrase = any(token.startswith("<") for token in _TOKENS.findall(self.whole))
        if not is_phrase or not self.wanted or "!" in _TOKENS.findall(self.wanted):
            return self.whole
        return _TOKENS.sub(lambda token: "&" if token[0].startswith("<") else token[0], self.wanted)


async def query_of(connection: AsyncConnection[DictRow], words: str) -> TextQuery:
    """The query of words, "phrases", `or` and -exclusions.

    A text is found by the forms that its own language gives the words, and nobody says which language the words are
    of: any language's form is wanted. What is excluded is excluded in all of its forms. Small words ("the", "of") are
    passed over, but not where a phrase is asked for.
    """
    excluded = " or ".join(_EXCLUDED.findall(words))
    wanted = " | ".join(await _forms(connection, _EXCLUDED.sub(" ", words)))
    unwanted = " | ".join(await _forms(connection, excluded)) if excluded else ""
    parts = [
        part
        for part in (f"({wanted})" if wanted else "", f"!({unwanted})" if unwanted else "")
        if part
    ]
    return TextQuery(whole=" & ".join(parts), wanted=wanted)


async def _forms(connection: AsyncConnection[DictRow], words: str) -> list[str]:
    asked = EVERY_WORD if '"' in words else ALL
    found = await connection.execute(_FORMS, (words, list(asked)))
    return [f"({row['form']})" for row in await found.fetchall() if row["form"]]
