"""The intake service: who wrote, what they want, how it went: the ticket itself."""
