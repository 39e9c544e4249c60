"""Versions over HTTP: `ETag` out, `If-Match` in."""

import re
from typing import Annotated, Final

from fastapi import Depends, Header, Request

from shared.errors import Invalid

_TAG: Final = re.compile(r'(?:W/)?"([0-9]{1,18})"')


def etag(version: int) -> str:
    """The entity tag of a version: `"7"`."""
    return f'"{version}"'


def version_expected(request: Request) -> int | None:
    """The version in `If-Match`; `None` when there is none, or it is `*`.

    Raises:
        Invalid: the header is not one entity tag holding a version.
    """
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    found = _TAG.fullmatch(given.strip())
    if found is None:
        raise Invalid.of("header If-Match", 'expected one entity tag with a version, such as "7"')
    return int(found[1])


async def expected_version(
    request: Request,
    _if_match: Annotated[
        str | None,
        Header(alias="If-Match", description='The version you looked at, such as `"7"`; else 412.'),
    ] = None,
) -> int | None:
    """Dependency around `version_expected`; the header appears in the API document."""
    return version_expected(request)


ExpectedVersion = Annotated[int | None, Depends(expected_version)]
"""`expected: ExpectedVersion` in a handler's signature."""
