"""Training; the only stage that needs torch."""
