"""Messengers: a signed webhook of anybody's, Telegram, WhatsApp; each one adapter with the same two sides."""
