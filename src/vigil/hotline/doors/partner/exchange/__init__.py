"""What partners and peers read in forms that their software knows already: one module a form."""
