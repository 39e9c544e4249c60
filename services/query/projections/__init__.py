"""Event → row: what a batch of events changes in the tables of this service."""

from services.query.projections.handler import Projections

__all__ = ["Projections"]
