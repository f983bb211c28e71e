"""Secrets: tokens sealed at rest, passwords."""
