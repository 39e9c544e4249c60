"""What every service stands on: the wire (events, topics) and the plumbing; it knows no service."""
