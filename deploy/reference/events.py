"""`docs/events.md`: every event on the wire, made from the event classes."""

import types
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Union, get_args, get_origin
from uuid import UUID

import msgspec

from deploy.reference.markdown import code, page, paragraphs, table
from shared.events import Event, known_types
from shared.topics import OWNERS, PARTITIONS, Topic, topic_of

_COMMON: Final = frozenset(field.name for field in msgspec.structs.fields(Event))
_PLAIN: Final[dict[Any, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "yes or no",
    datetime: "moment",
    UUID: "UUID",
    Any: "any JSON",
    type(None): "null",
}

_INTRODUCTION: Final = f"""\
What a service stores is what it publishes, byte for byte. A record's key is the stream's id, its value the JSON below,
its headers are CloudEvents 1.0 in binary mode (`ce_id` is `<owner>:<stream id>:<version>`). Each topic has {PARTITIONS}
partitions and is kept for ever; in an installation its name carries a prefix, `ticketing.` unless set otherwise.

Moments are RFC 3339 in UTC. A reader passes over types and fields that it does not know. Fields are only ever added;
a changed meaning is a new type (`…v2`). The same, for programs: `/services/<service>/asyncapi.json`."""


def events_page() -> str:
    """The page."""
    by_topic: dict[Topic, list[type[Event]]] = {topic: [] for topic in Topic}
    for wire_type, cls in known_types().items():
        by_topic[topic_of(wire_type)].append(cls)
    shapes: dict[str, type[Any]] = {}
    sections = [
        "## What every event carries\n\n"
        + _attributes(Event)
        + "\n\n"
        + _fields(Event, shapes)
        + f"\n\n{code('type')} is the event's type, such as {code('ticket.opened.v1')}."
    ]
    for topic, classes in by_topic.items():
        sections.append(f"## {topic.value}\n\nPublished by {OWNERS[topic].value}.")
        sections += [_event(cls, shapes) for cls in classes]
    sections.append("## Shapes\n\nWhat the fields above are made of.")
    sections += list(_shapes(shapes))
    return page(
        "Events",
        _INTRODUCTION,
        *sections,
        source="shared/events",
        command="make reference",
    )


def _event(cls: type[Event], shapes: dict[str, type[Any]]) -> str:
    own = _fields(cls, shapes, without=_COMMON)
    return f"### {cls.__struct_config__.tag}\n\n{paragraphs(cls.__doc__)}\n\n{own}"


def _attributes(cls: type[Event]) -> str:
    """The part of the docstring that explains the common fields, as a list."""
    before, _, listed = (cls.__doc__ or "").partition("Attributes:")
    items = (line.strip().partition(": ") for line in listed.strip().splitlines())
    return "\n".join(
        [before.strip(), "", *(f"- {code(name)}: {meaning}" for name, _, meaning in items)]
    )


def _fields(
    cls: type[msgspec.Struct],
    shapes: dict[str, type[Any]],
    *,
    without: frozenset[str] = frozenset(),
) -> str:
    rows = [
        (code(field.name), _type(field.type, shapes), _default(field))
        for field in msgspec.structs.fields(cls)
        if field.name not in without
    ]
    return table(("field", "is", "when left out"), rows) if rows else "No fields of its own."


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ""
    value = field.default if field.default is not msgspec.NODEFAULT else _made(field)
    return code(msgspec.json.encode(value).decode())


def _made(field: msgspec.structs.FieldInfo) -> Any:
    assert field.default_factory is not msgspec.NODEFAULT
    return field.default_factory()


def _type(of: Any, shapes: dict[str, type[Any]]) -> str:
    if of in _PLAIN:
        return _PLAIN[of]
    origin, arguments = get_origin(of), get_args(of)
    if origin in {Union, types.UnionType}:
        return " or ".join(_type(argument, shapes) for argument in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0], shapes)}"
    if origin is dict:
        return f"object of {_type(arguments[1], shapes)}"
    if isinstance(of, type) and issubclass(of, StrEnum | msgspec.Struct):
        shapes[of.__name__] = of
        return f"[{of.__name__}](#{of.__name__.lower()})"
    raise TypeError(f"say in words what {of} is")


def _shapes(shapes: dict[str, type[Any]]) -> Iterator[str]:
    """Each shape once, by name; describing one may name another, so all are described before the first is told."""
    told: dict[str, str] = {}
    while missing := shapes.keys() - told.keys():
        for name in missing:
            told[name] = _shape(shapes[name], shapes)
    for name in sorted(told):
        yield f"### {name}\n\n{told[name]}"


def _shape(cls: type[Any], shapes: dict[str, type[Any]]) -> str:
    if issubclass(cls, StrEnum):
        values = f"One of {', '.join(code(one.value) for one in cls)}."
        return f"{paragraphs(cls.__doc__)}\n\n{values}"
    return f"{paragraphs(cls.__doc__)}\n\n{_fields(cls, shapes)}"
