"""Split first: real images on three sides, and the proof that they stay apart."""
