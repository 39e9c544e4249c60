"""What was promised: policies and calendars, every version of them, and the book the engine judges by."""
