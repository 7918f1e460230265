"""What partners read in the form of other clearing houses: a journal of what became visible when, for each audience."""
