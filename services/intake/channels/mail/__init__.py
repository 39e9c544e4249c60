"""What reading an e-mail needs, one question per module; `channels.email_message` puts the answers together."""
