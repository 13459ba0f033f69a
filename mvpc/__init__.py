"""mvpc keeps a fleet of standard Linux laptops: inventory, profiles, rollouts, images, status."""

__version__ = "0.1.0"
