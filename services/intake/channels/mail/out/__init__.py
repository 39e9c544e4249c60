"""E-mail out: an outbox written with the event, a mail made of the ticket's events, a sender that tries and tells."""
