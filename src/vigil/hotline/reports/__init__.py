"""What arrives: reports, what they hand over, and a look at the page they name."""
