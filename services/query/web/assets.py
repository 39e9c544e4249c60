"""The pages' own files: styles, scripts, and the third-party files that set-up has laid beside them."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

_FILES: Final = StaticFiles(directory=Path(__file__).parent / "static")


@router.api_route("/static/{name:path}", methods=["GET", "HEAD"])
async def static_file(name: str, request: Request) -> Response:
    """One file, which a browser asks about each time (ETag): nobody works with yesterday's script on today's page."""
    answer = await _FILES.get_response(name, request.scope)
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
