"""What a person found: immutable assessments of reported addresses."""
