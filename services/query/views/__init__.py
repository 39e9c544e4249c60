"""Row → answer: everything that can be asked of the projections. Pages and API ask the same functions."""
