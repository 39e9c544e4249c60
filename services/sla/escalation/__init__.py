"""Escalation: how far each clock's ladder has been climbed, what its next step does, who is paged and who answered.

climbing   pure: which steps are due, when the next one is
state      what is remembered of a ticket, beside the engine's state
calling    the writing side, in the transaction of the judging: events, alerts, pages level by level
"""
