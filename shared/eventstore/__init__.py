"""The event log of one service: append with group commit, remember what was asked, read back."""

from shared.eventstore.claims import Claim
from shared.eventstore.committer import GroupCommitter, Outcome
from shared.eventstore.snapshots import Snapshots
from shared.eventstore.store import EventStore, EventTransaction

__all__ = ["Claim", "EventStore", "EventTransaction", "GroupCommitter", "Outcome", "Snapshots"]
