"""Training runs as processes: starting, queueing, stopping and resuming them; exporting, importing, deleting them."""
