"""Evotor's side: `wire` reads what the cloud says, `client` asks it. Reading only, never a write."""
