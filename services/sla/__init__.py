"""The sla service: what was promised and when it breaks."""
