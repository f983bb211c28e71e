"""An imitation of the Evotor cloud and of the VK API, for tests, the demo, benchmarks and browser journeys.

It imports nothing else of this project on purpose: a stranger cannot share our misreading of a vendor.
What docstrings name ("VK FACTS 4") stands in `docs/facts.md`.
"""
