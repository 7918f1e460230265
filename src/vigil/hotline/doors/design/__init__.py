"""What all doors look like: stylesheet, base templates, template tags."""
