"""`docs/settings-files.md`: every key of the YAML files that settings name, made from the structs that read them."""

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

import msgspec
from msgspec import inspect

from deploy.reference.markdown import code, page, table
from services.intake.channels.installed import Channels, SecretIn
from services.intake.channels.mail.mailboxes import MailboxesFile

_INTRODUCTION: Final = """\
Two files of intake, both YAML. Each is read at start; a key that is not known, or a value that is not allowed, ends the
start with one line that names its place. `<name>` is a name that you choose, `[]` stands for each of a list. No file
holds a secret: it says where one is."""

_SHAPES: Final = {
    "": "text",
    r"^[^\r\n]*\S[^\r\n]*$": "one line",
    r"^https?://\S+$": "URL",
    r"^[a-z0-9][a-z0-9._-]{0,63}$": "small letters, digits, `.`, `_`, `-`",
    r"^[^@\s+]+@[^@\s]+$": "address",
    r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$": "language (BCP 47)",
}
"""What patterns mean; another one is shown as it is."""

_FILES: Final = (
    ("Channels (`TICKETING_CHANNELS_FILE`)", "[How to use them](channels.md).", Channels),
    (
        "Mailboxes (`TICKETING_MAILBOXES_FILE`)",
        "[How to use them](channels-email.md).",
        MailboxesFile,
    ),
)
_ENTRY: Final = re.compile(r"^(\w+(?:, \w+)*): ", re.MULTILINE)
_INLINE: Final = re.compile(r"(?:^|[ ,])`(\w+(?:`, `\w+)*)`: ")


def files_page() -> str:
    """The page."""
    sections = [
        f"## {title}\n\n{where}\n\n"
        + table(("key", "allowed", "when left out", "meaning"), rows(of))
        for title, where, of in _FILES
    ]
    return page(
        "Settings files",
        _INTRODUCTION,
        *sections,
        source="the structs that read the files",
        command="make reference",
    )


def rows(cls: type[msgspec.Struct], above: str = "") -> Iterator[tuple[str, str, str, str]]:
    """A row for each key, those of a section below it."""
    said = meanings(cls)
    told = inspect.type_info(cls)
    assert isinstance(told, inspect.StructType)
    for field in told.fields:
        key, inner = f"{above}{field.encode_name}", _inner(field.type)
        section = _struct(inner)
        meaning = said.get(field.name) or (_summary(section) if section else "")
        yield code(key + _suffix(field.type)), _allowed(field.type), _default(field), meaning
        if section is not None and section is not SecretIn:
            yield from rows(section, f"{key}{_suffix(field.type)}.")


def meanings(cls: type[msgspec.Struct]) -> dict[str, str]:
    """What the docstrings of a struct and those that it extends say of each field."""
    found: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        lines = [
            line.strip() for line in (one.__doc__ or "").partition("Attributes:")[2].splitlines()
        ]
        said = "\n".join(filter(None, lines))
        entries = [*_ENTRY.finditer(said)]
        for entry, after in zip_longest(entries, entries[1:]):
            text = said[entry.end() : after.start() if after else None]
            found |= _split(entry[1].split(", "), " ".join(text.split()))
    return found


def _split(names: list[str], text: str) -> dict[str, str]:
    """An entry may go on with another field, named between the words."""
    inner = next(_INLINE.finditer(text), None)
    if inner is None:
        return dict.fromkeys(names, text)
    own = dict.fromkeys(names, text[: inner.start()].strip(" ,"))
    return own | _split(inner[1].split("`, `"), text[inner.end() :])


def _summary(cls: type[msgspec.Struct]) -> str:
    return (cls.__doc__ or "").partition("\n")[0].strip()


def _inner(of: inspect.Type) -> inspect.Type:
    """The type of one value: not whether it may be missing, or how many there are."""
    match of:
        case inspect.Metadata():
            return _inner(of.type)
        case inspect.UnionType():
            return _inner(next(one for one in of.types if not isinstance(one, inspect.NoneType)))
        case inspect.VarTupleType():
            return _inner(of.item_type)
        case inspect.DictType():
            return _inner(of.value_type)
        case _:
            return of


def _struct(of: inspect.Type) -> type[msgspec.Struct] | None:
    return of.cls if isinstance(of, inspect.StructType) else None


def _suffix(of: inspect.Type) -> str:
    match of:
        case inspect.Metadata():
            return _suffix(of.type)
        case inspect.DictType():
            return ".<name>"
        case inspect.VarTupleType() if _struct(_inner(of)) not in {None, SecretIn}:
            return "[]"
        case _:
            return ""


def _allowed(of: inspect.Type) -> str:
    match of:
        case inspect.Metadata():
            return _allowed(of.type)
        case inspect.UnionType():
            kinds = (one for one in of.types if not isinstance(one, inspect.NoneType))
            return " or ".join(map(_allowed, kinds))
        case inspect.VarTupleType():
            most = f"up to {of.max_length:,}: " if of.max_length else ""
            return f"list, {most}{_allowed(of.item_type)}"
        case inspect.DictType():
            names = of.key_type.values if isinstance(of.key_type, inspect.LiteralType) else ()
            return (
                f"text for any of {', '.join(code(str(one)) for one in names)}"
                if names
                else "by name"
            )
        case inspect.StructType():
            return "`{file: …}` or `{env: …}`" if of.cls is SecretIn else "section"
        case _:
            return _plain(of)


def _plain(of: inspect.Type) -> str:
    match of:
        case inspect.LiteralType():
            return ", ".join(code(str(one)) for one in of.values)
        case inspect.EnumType():
            return ", ".join(code(str(one.value)) for one in of.cls)
        case inspect.BoolType():
            return "`true`, `false`"
        case inspect.IntType() | inspect.FloatType():
            kind = "whole number" if isinstance(of, inspect.IntType) else "number"
            bounds = {"≥": of.ge, ">": of.gt, "≤": of.le, "<": of.lt}
            said = [f"{sign} {bound:,}" for sign, bound in bounds.items() if bound is not None]
            return ", ".join([kind, *said])
        case inspect.StrType():
            most = f", up to {of.max_length:,} characters" if of.max_length else ""
            shape = _SHAPES.get(of.pattern or "", f"text, pattern {code(of.pattern or '')}")
            return shape + most
        case _:
            raise TypeError(f"say in words what {of} is")


def _default(field: inspect.Field) -> str:
    if field.required:
        return "must be set"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, msgspec.Struct):
        return "its defaults"
    if value is None:
        return "off" if _struct(_inner(field.type)) else "not set"
    return code(msgspec.json.encode(value).decode()) if value not in ((), {}) else "none"
