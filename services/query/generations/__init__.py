"""Projections built anew beside the live ones, checked, switched in one transaction; the old ones are kept a while.

ADR: docs/decisions, "a projection is rebuilt by groups of tables".
"""

from services.query.generations.build import (
    AlreadyBuilding,
    Differs,
    NotPrepared,
    Progress,
    rebuild,
)
from services.query.generations.state import Generation, Overview, drop_old, overview

__all__ = [
    "AlreadyBuilding",
    "Differs",
    "Generation",
    "NotPrepared",
    "Overview",
    "Progress",
    "drop_old",
    "overview",
    "rebuild",
]
