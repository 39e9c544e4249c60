"""The HTTP side every service shares."""
