"""What the sandbox shows to people and to test programs."""
