"""The past on request: any ticket, list or backlog as it was at an instant, exact, from what the projections keep.

A change counts from its `occurred_at`, but never from before the change of the same field that it followed. A fact
that becomes known late stands where it belongs, so the past may still grow: that is what its `recorded_at` tells.
"""
