"""Where images come from: the PBC layout, any folder per class, the phantom."""
