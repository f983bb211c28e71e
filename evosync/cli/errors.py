"""A person's mistake at the command line."""


class UserError(Exception):
    """Printed as it is, without a traceback; says what is wrong and what to do."""
