"""`docs/settings.md`: every variable of the environment, made from the settings classes."""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from deploy.bootstrap import SERVICES
from deploy.bootstrap.settings import BootstrapSettings
from deploy.local.folder import FRONT_DOOR_PORT
from deploy.reference.markdown import code, page, table
from shared.settings import ServiceSettings

_PREFIX: Final = "TICKETING_"
_SIGNS: Final = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}

_INTRODUCTION: Final = """\
Addresses, limits and secrets come from the environment and nowhere else. Each is checked at start: a wrong one ends the
process with one line that names it (exit status 78). Unknown variables are ignored. `make run` and `docker-compose.yml`
set what must be set; the rest has a default with a reason. Keys of the files that some of them name are
on a [page of their own](settings-files.md)."""

_LOCAL: Final = (
    (
        "TICKETING_HOME",
        code(".ticketing"),
        "Folder of an installation started by `make run`: data, logs, ports, secrets, keys.",
    ),
    (
        "TICKETING_PORT_FRONT_DOOR",
        f"{code(str(FRONT_DOOR_PORT))}, else a free one",
        "The one port that people use. Chosen once and remembered.",
    ),
    (
        "TICKETING_PORT_<NAME>",
        "a free one",
        "The same for `KAFKA`, `KAFKA_CONTROLLER`, `POSTGRES`, `REDIS`, `INTAKE`, `ROUTING`, `SLA`, `QUERY`.",
    ),
    ("TICKETING_TOKEN", "the local issuer's", "Token that `ticketing` commands use."),
)


def settings_page() -> str:
    """The page."""
    sections = [_section("Every service", ServiceSettings, {})]
    for service in SERVICES:
        own = import_module(f"services.{service}.settings").Settings
        sections.append(_section(service, own, ServiceSettings.model_fields))
    sections.append(_section("Bootstrap (roles, schemas, topics)", BootstrapSettings, {}))
    local = [(code(name), default, meaning) for name, default, meaning in _LOCAL]
    sections.append(
        "## make run and the command line\n\n" + table(("variable", "default", "meaning"), local)
    )
    return page(
        "Settings",
        _INTRODUCTION,
        *sections,
        source="the settings classes",
        command="make reference",
    )


def _section(title: str, cls: type[BaseSettings], inherited: Mapping[str, FieldInfo]) -> str:
    said = _docstrings(cls)
    rows = [
        (
            code(_PREFIX + name.upper()),
            _allowed(field),
            _default(field),
            field.description or said.get(name, ""),
        )
        for name, field in cls.model_fields.items()
        if name not in inherited or field.default != inherited[name].default
    ]
    if not rows:
        return f"## {title}\n\nNothing of its own."
    return f"## {title}\n\n" + table(("variable", "allowed", "default", "meaning"), rows)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "must be set"
    if field.default is None:
        return "not set"
    is_flag = isinstance(field.default, bool)
    return code(str(field.default).lower() if is_flag else str(field.default))


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(map(str, get_args(field.annotation)))}"
    kinds = [kind for kind in get_args(field.annotation) or [field.annotation] if kind]
    kind = next(kind for kind in kinds if kind is not type(None))
    words = {
        "int": "whole number",
        "float": "number",
        "str": "text",
        "bool": "true or false",
        "SecretStr": "secret",
        "Path": "file",
    }[kind.__name__]
    bounds = [_bound(limit) for limit in field.metadata]
    return ", ".join([words, *filter(None, bounds)])


def _bound(limit: Any) -> str:
    for attribute, sign in _SIGNS.items():
        if (bound := getattr(limit, attribute, None)) is not None:
            return f"{sign} {bound}"
    if (least := getattr(limit, "min_length", None)) is not None:
        return f"at least {least} characters"
    pattern = getattr(limit, "pattern", None)
    return f"pattern {code(pattern)}" if pattern else ""


def _docstrings(cls: type[BaseSettings]) -> dict[str, str]:
    """The string that follows a field, as some classes explain theirs."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(tree, ast.ClassDef)
    found: dict[str, str] = {}
    for field, after in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(after.value.value)
    return found
