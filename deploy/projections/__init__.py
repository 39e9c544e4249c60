"""`ticketing projections`: what stands beside the terminal."""
