"""What changed since a cursor, in the order of commits: for whoever keeps a copy of our rows."""

from services.query.views.export.entities import ENTITIES, Column, Entity
from services.query.views.export.pages import Head, Request, read_page

__all__ = ["ENTITIES", "Column", "Entity", "Head", "Request", "read_page"]
