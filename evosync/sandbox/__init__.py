"""An imitation of the Evotor cloud and of the VK API, for tests, the demo, benchmarks and browser journeys.

It imports nothing else of this project on purpose: a stranger cannot share our misreading of a vendor.
Sections named in docstrings ("VK FACTS 4") are those of the two collections of facts the project was built on.
"""
