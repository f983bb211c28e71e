"""Evotor API v2, the reading half."""
