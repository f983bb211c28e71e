"""The engine: one actor per owner, each run fetching, planning and pushing."""
