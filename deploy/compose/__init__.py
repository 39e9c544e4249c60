"""What compose needs beside its file: overlays, the second door, secrets."""
