"""The query service: what can be asked."""
