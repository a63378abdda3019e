"""naturalize: from a small, imbalanced folder of microscopy images to a classifier one can trust.

Real cells are cut out of training images, recomposed into new images, and the gain is measured on
untouched real images. Data flows one way through the stages; see ``docs/architecture.md``.
"""

from __future__ import annotations

__version__ = "0.1.0"
