"""The page that tells a colleague what was done and whether it helped."""
