"""One self-contained HTML page; knows no stage."""
