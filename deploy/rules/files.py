"""A rule file, YAML or JSON: its document, and the line on which each part of it stands."""

import re
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from deploy.local.problems import CannotStart
from deploy.rules.kinds import ROUTING, RuleKind
from shared.errors import FieldError, Invalid

FILE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Five hundred rules with all their conditions have a few hundred kilobytes."""

_STDIN: Final = Path("-")
_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


class _Loader(yaml.SafeLoader):
    """YAML without its traps.

    A repeated key is a fault; aliases are refused (a few lines of them can stand for gigabytes); only `true` and
    `false` are booleans, so that the language `no` stays a word.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose, without aliases."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(
                None, None, "aliases are not read here", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Construct, without repeated keys."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is said twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_BOOLEAN: Final = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|false)$"), ["t", "f"])


class RuleFile:
    """A rule set as somebody wrote it.

    Attributes:
        name: of the file, for people.
        kind: whose rules they are.
        document: as it is put over HTTP.
    """

    def __init__(self, name: str, text: str, kind: RuleKind = ROUTING) -> None:
        self.name = name
        self.kind = kind
        try:
            loader = _Loader(text)
            self._node = loader.get_single_node()
            value = None if self._node is None else loader.construct_document(self._node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
            raise CannotStart(f"{name}:{where} {error.problem or error.context}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise CannotStart(f"{name}: cannot be read: {error}") from None
        if not isinstance(value, dict):
            raise CannotStart(f"{name}: expected {kind.expected}")
        value.pop("version", None)  # `export` writes which one it was
        try:
            self.document = kind.read(msgspec.json.encode(value, enc_hook=str))
        except Invalid as refusal:
            raise self.refused(list(refusal.errors)) from None

    @classmethod
    def read(cls, path: Path, kind: RuleKind = ROUTING) -> "RuleFile":
        """Read a file; `-` is standard input.

        Raises:
            CannotStart: it cannot be read, or is no rule set: every fault with its line.
        """
        if path == _STDIN:
            raw, name = sys.stdin.buffer.read(FILE_BYTES_MAX + 1), "standard input"
        else:
            name = str(path)
            try:
                with path.open("rb") as source:
                    raw = source.read(FILE_BYTES_MAX + 1)
            except OSError as error:
                raise CannotStart(f"{name} cannot be read: {error.strerror}") from None
        if len(raw) > FILE_BYTES_MAX:
            raise CannotStart(f"{name}: more than {FILE_BYTES_MAX} bytes")
        try:
            return cls(name, raw.decode("utf-8-sig"), kind)
        except UnicodeDecodeError as error:
            raise CannotStart(f"{name}: is not UTF-8 (byte {error.start})") from None

    def line_of(self, field: str) -> int | None:
        """The line (from 1) of a field such as `rules[2].when[0].value`, or of the nearest thing around it."""
        node = self._node
        line = None if node is None else node.start_mark.line + 1
        for name, place in _STEP.findall(field):
            if isinstance(node, yaml.MappingNode) and name:
                found = next((pair for pair in node.value if pair[0].value == name), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and place and int(place) < len(node.value):
                node = node.value[int(place)]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def refused(self, errors: list[FieldError]) -> CannotStart:
        """What is wrong, one fault a line, each with its line and field."""
        told = []
        for error in errors:
            line = self.line_of(error.field)
            where = f"{self.name}:{line}" if line else self.name
            told.append(f"{where}: {error.field}: {error.message}")
        return CannotStart("the rules are refused; nothing is changed\n" + "\n".join(told))


def as_yaml(document: dict[str, Any]) -> str:
    """A rule set as a file, the same for the same rules."""
    ordered = {
        name: document[name]
        for name in ("version", "mode", "default_group", "rules")
        if document.get(name) is not None
    }
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=100)
