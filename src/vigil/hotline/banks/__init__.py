"""Banks: lists that a platform keeps for its own nodes, curated by its machines under a policy that two people set."""
