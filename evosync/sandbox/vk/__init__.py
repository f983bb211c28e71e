"""VK API 5.199 as far as a shop needs it."""
