"""Who we exchange with: enforcement nodes, their tokens, and what was handed to them."""
