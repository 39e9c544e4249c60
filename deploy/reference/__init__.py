"""Reference pages of `docs/` made from what they describe: events, metrics, settings, schema `bi`."""
