"""From a finished run to a reader: small network, honest odds, limits, card (needs torch)."""
