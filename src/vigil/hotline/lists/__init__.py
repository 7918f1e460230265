"""Lists, their entries, listing decisions, publications, appeals, and the list office."""
