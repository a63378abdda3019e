"""Where a trained network looks, and how far such a picture may be trusted."""
