"""What the sender wrote this time: a plain text without quotes and signature."""

import re
from typing import Final

from services.intake.channels.mail import wording

LINES_MAX: Final = 2_000
"""Lines looked at. Whoever writes more by hand has not quoted; what follows is left away only behind a quote found."""

QUESTIONS_MAX: Final = 60
"""Windows shown to the wordings; each costs up to ten milliseconds on hostile text."""

SIGNATURE_LINES_MAX: Final = 12
SIGNATURE_LINE_CHARS_MAX: Final = 80
"""Longer than this, words after a closing are no signature."""

_HEAD_FIELDS_MIN: Final = 3
_HEAD_LINES_MAX: Final = 14
_RULE: Final = re.compile(r"\s*(?:_{20,}|-{20,})\s*")
_DELIMITER: Final = "-- "
_WORN_DELIMITER: Final = "--"
"""RFC 3676, 4.3. Programs lose the space; a person may draw a line with two hyphens, but not above a few last lines."""

_MANY_BLANKS: Final = re.compile(r"\n{4,}")


def reply_text(text: str) -> str:
    """The new words in a text.

    - Above a quote: what stands above, without the line that introduces the quote.
    - Below a quote: what stands below.
    - Between quotes: everything, because answers without their questions say nothing; a quote at the end goes.
    - A forwarded message stays: it is what the sender wants to show.
    - If nothing is left, everything: an empty reply helps nobody.
    """
    lines = _above_delimiter(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    looked_at = lines[:LINES_MAX]
    cut = _first_quote(looked_at)
    written = _without_marked(looked_at[:cut])
    if cut is None:
        written += lines[LINES_MAX:]
    kept = _without_signature(_above_delimiter(written))
    said = "\n".join(line.rstrip() for line in kept).strip()
    return _MANY_BLANKS.sub("\n\n", said) or text.strip()


def _above_delimiter(lines: list[str]) -> list[str]:
    """Without the signature below its delimiter, which most programs put at the end and some above the quote."""
    words_seen = False
    for at, line in enumerate(lines[:LINES_MAX]):
        if words_seen and (
            line == _DELIMITER or (line == _WORN_DELIMITER and _is_short(lines[at + 1 :]))
        ):
            below = lines[at + 1 : LINES_MAX]
            forwarded = next((at for at, one in enumerate(below) if wording.is_forward(one)), None)
            return lines[:at] + ([] if forwarded is None else below[forwarded:] + lines[LINES_MAX:])
        words_seen = words_seen or (bool(line.strip()) and not _is_marked(line))
    return lines


def _first_quote(lines: list[str]) -> int | None:
    """Where a quoted message begins that goes to the end without marks; None if nowhere."""
    questions = 0
    for at, line in enumerate(lines):
        if not line.strip():
            continue
        if wording.is_forward(line):
            return None
        if wording.is_separator(line) or _is_head(lines, at):
            above = at - 1
            while above >= 0 and not lines[above].strip():
                above -= 1
            return above if above >= 0 and _RULE.fullmatch(lines[above]) else at
        if _ends_sentence(line) and not _is_marked(line) and questions < QUESTIONS_MAX:
            questions += 1
            if _next_marked(lines, at + 1) is None:
                start = _introduction(lines, at, by_machine=True)
                if start is not None:
                    return start
    return None


def _without_marked(lines: list[str]) -> list[str]:
    """The lines without those behind `>`, where that leaves an answer in one piece."""
    blocks = _marked_blocks(lines)
    if not blocks:
        return lines
    if not _any_words(lines[blocks[-1][1] :]):
        *blocks, (start, _) = blocks
        lines = lines[: _introduction_above(lines, start)]
        if not blocks:
            return lines
    first_start, first_end = blocks[0]
    above = _introduction_above(lines, first_start)
    if len(blocks) == 1 and not _any_words(lines[:above]):
        return lines[first_end:]
    return lines


def _marked_blocks(lines: list[str]) -> list[tuple[int, int]]:
    blocks: list[tuple[int, int]] = []
    for at, line in enumerate(lines):
        if not _is_marked(line):
            continue
        if blocks and not _any_words(lines[blocks[-1][1] : at]):
            blocks[-1] = (blocks[-1][0], at + 1)
        else:
            blocks.append((at, at + 1))
    return blocks


def _introduction_above(lines: list[str], start: int) -> int:
    """Where the introduction of the quote at `start` begins; `start` itself if there is none."""
    at = start - 1
    while at >= 0 and not lines[at].strip():
        at -= 1
    if at < 0:
        return start
    if wording.is_separator(lines[at]):
        return at
    if not _ends_sentence(lines[at]):
        return start
    found = _introduction(lines, at)
    return start if found is None else found


def _introduction(lines: list[str], end: int, *, by_machine: bool = False) -> int | None:
    """First of the one to four lines, ending at `end`, that together say who wrote; None if they do not.

    Args:
        lines: the text.
        end: the line with the colon.
        by_machine: ask for an address or a time too, as no person writes them: nothing marks what follows.
    """
    for start in range(end, max(-1, end - 4), -1):
        if not lines[start].strip() or _is_marked(lines[start]):
            return None
        window = " ".join(line.strip() for line in lines[start : end + 1])
        if wording.introduces_quote(window) and (not by_machine or wording.is_exact(window)):
            return _opening_line(lines, start)
    return None


def _opening_line(lines: list[str], start: int) -> int:
    """One line more when the sentence was wrapped before the part that could be recognised."""
    above = lines[start - 1].strip() if start else ""
    wrapped = above.endswith(("<", ",")) and any(sign.isdigit() for sign in above)
    return start - 1 if wrapped else start


def _is_head(lines: list[str], at: int) -> bool:
    """Whether fields of a mail are repeated from here on: one that names the sender, and two others."""
    first = wording.field_of(lines[at])
    if first is None or _is_marked(lines[at]):
        return False
    fields = {first}
    for line in lines[at + 1 : at + _HEAD_LINES_MAX]:
        # Some programs put blank lines between the fields, others wrap long ones.
        found = wording.field_of(line)
        if found is not None:
            fields.add(found)
        if len(fields) >= _HEAD_FIELDS_MIN and any(is_sender for _, is_sender in fields):
            return True
    return False


def _without_signature(lines: list[str]) -> list[str]:
    for at, line in enumerate(lines):
        if wording.is_sent_from(line) and _any_words(lines[:at]) and _is_short(lines[at + 1 :]):
            lines = lines[:at]
            break
    start = max(0, len(lines) - SIGNATURE_LINES_MAX)
    for at in range(start, len(lines)):
        if wording.is_closing(lines[at]) and _any_words(lines[:at]) and _is_short(lines[at + 1 :]):
            return lines[:at]
    return lines


def _is_short(lines: list[str]) -> bool:
    said = [line for line in lines[: 4 * SIGNATURE_LINES_MAX] if line.strip()]
    return (
        len(lines) <= 4 * SIGNATURE_LINES_MAX
        and len(said) <= SIGNATURE_LINES_MAX
        and all(
            len(line.strip()) <= SIGNATURE_LINE_CHARS_MAX and not line.rstrip().endswith("?")
            for line in said
        )
    )


def _is_marked(line: str) -> bool:
    return line.lstrip().startswith(">")


def _next_marked(lines: list[str], start: int) -> int | None:
    """The next line with words, if it is marked as a quote."""
    at = next((at for at in range(start, len(lines)) if lines[at].strip()), None)
    return at if at is not None and _is_marked(lines[at]) else None


def _ends_sentence(line: str) -> bool:
    return line.rstrip().rstrip("*_").endswith(wording.COLONS)


def _any_words(lines: list[str]) -> bool:
    return any(line.strip() for line in lines)
