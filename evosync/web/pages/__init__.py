"""The pages, one module for each place of the site: handlers, and `routes` at the end."""
