"""The telephone: a log of calls comes in, tickets and notes come of it."""
