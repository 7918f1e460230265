"""Running the hotline: starting Django for a process, serving a door, the loops of worker and office."""
