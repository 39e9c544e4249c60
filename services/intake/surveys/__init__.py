"""Asking customers what they think of a solution, and taking their answers."""
