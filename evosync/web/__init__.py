"""The website: pages for owners and admins, rendered on the server."""
