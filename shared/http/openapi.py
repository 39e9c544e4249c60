"""What the API document says of bodies that msgspec reads and writes, of problems, and of tokens."""

import types
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from shared.http.problems import MEDIA_TYPE, Problem

_REF: Final = "#/components/schemas/{name}"
_COMPONENTS: Final = "x-schemas"  # travels with the operation, gone from the finished document

_PROBLEMS: Final = {
    400: "Not JSON, or not readable at all.",
    401: "No valid token.",
    403: "Known, and not allowed to.",
    404: "No such thing, or not yours to see.",
    409: "The rules say no; `code` names the reason.",
    412: "The version in `If-Match` has moved on.",
    413: "Too large.",
    422: "Fields are malformed (`errors` names each), or an Idempotency-Key came with another request.",
    503: "Not now: try again after `Retry-After` seconds.",
}
_OPEN_TAGS: Final = frozenset({"health"})


def openapi_body(
    type: Any | None = None,  # noqa: A002
    *,
    answer: Any | None = None,
    status: int = 200,
    description: str = "Done.",
    body_media_type: str = "application/json",
    answer_media_type: str = "application/json",
) -> dict[str, Any]:
    """`openapi_extra=` of a route: the JSON schema of the request's body and of its answer.

    For NDJSON the schema describes one line.
    """
    extra: dict[str, Any] = {}
    described = [each for each in (type, answer) if each is not None]
    schemas, components = msgspec.json.schema_components(described, ref_template=_REF)
    by_type = dict(zip(map(id, described), schemas, strict=True))
    if type is not None:
        content = {body_media_type: {"schema": by_type[id(type)]}}
        extra["requestBody"] = {"required": True, "content": content}
    if answer is not None:
        content = {answer_media_type: {"schema": by_type[id(answer)]}}
        extra["responses"] = {str(status): {"description": description, "content": content}}
    extra[_COMPONENTS] = components
    return extra


def problem_responses() -> dict[int | str, dict[str, Any]]:
    """`responses=` of an application: the problems any operation may answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}}
    return {
        status: {"description": words, "content": content} for status, words in _PROBLEMS.items()
    }


def operation_id(route: APIRoute) -> str:
    """Names of generated clients' functions: the first tag and the handler's name, `tickets_open_ticket`."""
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


def install(app: FastAPI) -> None:
    """Let `app.openapi()` tell the whole: msgspec's schemas, the problem schema, the bearer scheme."""

    def openapi(app: FastAPI) -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _finished(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    routes=app.routes,
                    servers=app.servers,
                    tags=app.openapi_tags,
                )
            )
        return app.openapi_schema

    app.openapi = types.MethodType(openapi, app)  # type: ignore[method-assign]


def _finished(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    _, own = msgspec.json.schema_components([Problem], ref_template=_REF)
    # As FastAPI encodes the routes' own: without nulls, or the same schema would look like two.
    _add(schemas, jsonable_encoder(own, exclude_none=True))
    for path in document.get("paths", {}).values():
        for operation in path.values():
            _add(schemas, operation.pop(_COMPONENTS, {}))
            if not _OPEN_TAGS.isdisjoint(operation.get("tags", ())):
                operation["security"] = []
                operation["responses"] = {
                    status: words
                    for status, words in operation["responses"].items()
                    if int(status) not in _PROBLEMS
                }
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    document["security"] = [{"bearer": []}]
    return document


def _add(schemas: dict[str, Any], more: dict[str, Any]) -> None:
    for name, schema in more.items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two different schemas are called {name}: rename one of the structs")
