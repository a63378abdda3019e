"""Scores, intervals and comparisons from ``Predictions`` alone; needs no torch."""
