"""Calls of the Evotor cloud (Evotor FACTS 4)."""
