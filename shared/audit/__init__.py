"""An event log that proves itself: rows sealed in commit order, each stream a chain, each day a signed root."""

from shared.audit.sealer import Sealer

__all__ = ["Sealer"]
