"""Need to know: cases that only named people may open."""
