"""Routing rules as files: read with the line of every fault, compared, applied through the front door, tried out."""
