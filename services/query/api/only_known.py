"""A parameter that a question does not have is refused by its name, also where it has none at all."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from shared.errors import Invalid


async def only_known(request: Request) -> None:
    """A dependency of all routes.

    Raises:
        Invalid: the address has a parameter that nobody reads; a misspelt filter must not look like one that fits all.
    """
    if not request.query_params:
        return
    parameters = dict(_parameters(request.scope["route"].dependant))
    if any(map(_is_model, parameters.values())):
        return  # the model reads all of them, and refuses the rest itself
    for name in request.query_params:
        if name not in parameters:
            raise Invalid.of(f"query {name}", "is no parameter of this question")


def _parameters(dependant: Dependant) -> Iterator[tuple[str, object]]:
    for field in dependant.query_params:
        yield field.alias, field.field_info.annotation
    for one in dependant.dependencies:
        yield from _parameters(one)


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
