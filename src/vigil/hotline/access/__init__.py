"""Who may do what: people, roles, one permission table, sealed values."""
