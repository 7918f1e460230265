"""What looking costs the people who look: their exposure, limits, breaks, and ways out."""
