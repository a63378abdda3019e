"""Teach the network that sees cells: composites are its lessons, for their outlines are known."""
