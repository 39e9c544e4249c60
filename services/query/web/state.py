"""What the pages of one application remember between requests; nothing in it is worth keeping."""

from typing import cast

from fastapi import FastAPI, Request

from services.query.live import LiveBoard
from services.query.web.directory import Directory


def directory_of(request: Request) -> Directory:
    """The names; made with the first request."""
    app = cast(FastAPI, request.app)
    if not hasattr(app.state, "page_directory"):
        app.state.page_directory = Directory()
    directory: Directory = app.state.page_directory
    return directory


def live_of(request: Request) -> LiveBoard:
    """The one producer of live boards."""
    live: LiveBoard = request.app.state.live
    return live
