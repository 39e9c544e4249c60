"""One module per sub-command of `ticketing`; see `deploy.cli`."""
