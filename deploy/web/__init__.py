"""Third-party browser files: pinned by a lock, fetched at set-up, never committed."""
