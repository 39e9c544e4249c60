"""Judging tickets: wire events to the engine's facts, its outcomes to wire events, state in between."""
