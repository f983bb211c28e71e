"""An address for a server that a test runs in its own process."""

import socket

from evosync.cli.doors import Doors


def free_doors() -> Doors:
    """At a free port of this machine; whoever serves there closes them."""
    return Doors([socket.create_server(("127.0.0.1", 0))])
