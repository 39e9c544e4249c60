"""The embedded stack: real servers from packages, for machines without Docker, Java or root."""
