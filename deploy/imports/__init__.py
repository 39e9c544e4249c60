"""Histories of other desks: read, turned into dated commands, sent through the front door."""
