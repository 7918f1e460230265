"""The self-test of a node: the benign test list asked through every door, and a signed report of what came back."""
