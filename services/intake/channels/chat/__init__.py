"""The live chat: a conversation is not a ticket; people or a rule make tickets of stretches of it, or none."""
