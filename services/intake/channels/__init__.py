"""The ways a customer's words come in and ours go out, one module per channel."""
