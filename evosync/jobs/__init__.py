"""The worker's side of the queue: what jobs do, and the arq worker that runs them."""
