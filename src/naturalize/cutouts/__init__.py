"""Cells and plates cut out of train images only, and the bank they are kept in."""
