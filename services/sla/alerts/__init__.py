"""Telling people: alerts, the outbox through which they leave, and one module per sink."""
