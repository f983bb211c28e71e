"""What people do with their accounts: one use case a module, each in its own transaction."""
