"""Letters and SMS on their way out: how they look, and who carries them."""
