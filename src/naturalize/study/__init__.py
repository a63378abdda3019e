"""Arms x sizes x seeds: whole studies that resume anywhere, from a few lines of YAML."""
