"""Grafana's boards as code: the panels are written here, the files that Grafana reads are made from them."""
