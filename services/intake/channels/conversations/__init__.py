"""Channels where customer and agent take turns, messengers and chat: one outbox, and what leaves it."""
