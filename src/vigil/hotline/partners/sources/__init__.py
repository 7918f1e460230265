"""Lists that others send: fetched, checked record by record, kept whole, reconciled, and never listed by themselves."""
