"""How many people look at a finding, how far they agree, and how that is kept honest."""
