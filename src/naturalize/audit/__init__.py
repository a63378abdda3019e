"""How real composites look: probes that try to tell them from real images."""
