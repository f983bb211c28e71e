"""EvoSync: the catalog of Evotor cash registers, mirrored into a VK community shop."""

__version__ = "0.1.0"
