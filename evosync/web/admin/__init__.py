"""The other building: people, their rights, the work and the audit trail."""
