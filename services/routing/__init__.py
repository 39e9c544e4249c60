"""The routing service: who works on it and why."""
