"""``python -m naturalize``."""

from __future__ import annotations

from naturalize.cli.app import main

if __name__ == "__main__":
    main()
