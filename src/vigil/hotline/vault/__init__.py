"""The evidence vault: off unless an operator has recorded a legal basis; sealed evidence, every touch logged."""
