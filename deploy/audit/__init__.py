"""Checking that an event log is what it was: against its seals, its signed days, Kafka, and query's copy."""
