"""The verbs of routing: lock the desk, load, decide, save; all in one transaction."""
