"""Mailboxes out of From, To and Cc, however they were written.

The standard library answers differently from one patch release to the next: strict since 3.11.10, it gives up a
whole list for one bad entry. Its recursion follows the sender's brackets. Hence our own reader: one pass, no recursion.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from services.intake.channels.mail.headers import decode_words

ADDRESSES_MAX: Final = 1_000
"""Mailboxes read from one field; more than any list of recipients that a person wrote."""

_ADDRESS: Final = re.compile(
    r"[^\s<>()\[\],;:\"@]{1,255}@(?:[^\s<>()\[\],;:\"@]{1,255}|\[[^\]\s]{1,64}\])"
)
_QUOTED_LOCAL: Final = re.compile(r"\"(?:[^\"\\]|\\.){1,64}\"@[^\s<>()\[\],;:\"@]{1,255}")
_ANGLE: Final = re.compile(r"<([^<>]*)>")


class Mailbox(msgspec.Struct, frozen=True):
    """Somebody who writes or is written to.

    Attributes:
        name: what people see; "" when the sender gave none.
        address: as written, without brackets. It has no `@` when the sender wrote something else in its place.
    """

    name: str
    address: str


def mailboxes(values: Iterable[str], likely: str | None = None) -> list[Mailbox]:
    """Everybody in these values, in order, each address once; groups are opened, empty entries passed over.

    Args:
        values: raw values, 8-bit text readable, encoded words left alone (a comma may hide in them).
        likely: charset for bytes that nobody declared.
    """
    found: dict[str, Mailbox] = {}
    for value in values:
        for entry in _entries(value):
            one = _mailbox(entry, likely)
            if one is not None:
                found.setdefault(one.address.lower(), one)
            if len(found) >= ADDRESSES_MAX:
                return list(found.values())
    return list(found.values())


def _entries(value: str) -> Iterator[str]:
    """Cut at commas, semicolons and a group's colon, outside quotes, angles and comments."""
    entry: list[str] = []
    quoted = angled = False
    depth = 0
    at = 0
    while at < len(value):
        sign = value[at]
        if sign == "\\" and (quoted or depth):
            entry.append(value[at : at + 2])
            at += 2
            continue
        if sign == '"' and not depth:
            quoted = not quoted and '"' in value[at + 1 : at + 1_000]
        elif not quoted:
            if sign == "(":
                depth += 1
            elif sign == ")":
                depth = max(0, depth - 1)
            elif not depth:
                angled = sign == "<" or (angled and sign != ">")
        at += 1
        if sign in ",;" and not quoted and not depth and not _inside_angle(angled, value, at):
            angled = False
            yield "".join(entry)
            entry.clear()
        elif sign == ":" and not quoted and not depth and not angled:
            # What stood before is a group's name (RFC 5322, 3.4), as in `undisclosed-recipients:;`.
            entry.clear()
        else:
            entry.append(sign)
    yield "".join(entry)


def _inside_angle(angled: bool, value: str, at: int) -> bool:
    """A `<` that is closed before the next one opens holds its commas; a forgotten one does not."""
    if not angled:
        return False
    closing = value.find(">", at, at + 500)
    opening = value.find("<", at, at + 500)
    return closing >= 0 and not 0 <= opening < closing


def _mailbox(entry: str, likely: str | None) -> Mailbox | None:
    entry = entry.strip()
    if not entry:
        return None
    bracketed = [angle for angle in _ANGLE.finditer(entry) if angle[1].strip()]
    if bracketed:
        # The last is the address when a name holds brackets too.
        angle = next((one for one in reversed(bracketed) if "@" in one[1]), bracketed[-1])
        address = _address_in(angle[1])
        name = entry[: angle.start()].rstrip("< ") or _comment(entry[angle.end() :])
    elif "<>" in entry.replace(" ", ""):
        return None
    else:
        address = _address_in(entry)
        name = _comment(entry)
    if not address:
        return None
    return Mailbox(name=_said(name, likely, address), address=address)


def _address_in(text: str) -> str:
    decoded = decode_words(text)
    found = _QUOTED_LOCAL.search(decoded) or _ADDRESS.search(decoded)
    if found:
        return found[0].removeprefix("mailto:").strip(".'")
    # Nothing like an address: keep the words, so that a person can still see who it was meant to be.
    return decode_words(re.sub(r"\([^()]*\)", "", text)).strip("\"'<> ")[:255]


def _comment(text: str) -> str:
    found = re.search(r"\(((?:[^()\\]|\\.)*)\)", text)
    return found[1] if found else ""


def _said(name: str, likely: str | None, address: str) -> str:
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        said = decode_words(re.sub(r"\\(.)", r"\1", name[1:-1]), likely)
    else:
        said = decode_words(name, likely).strip("\"'")
    said = said.strip()
    if len(said) > 1 and said[0] == said[-1] == "'":
        said = said[1:-1]
    return "" if said.lower() == address.lower() else said
