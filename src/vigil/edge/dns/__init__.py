"""The DNS door of a node: a codec of its own, an answering front before the operator's resolver."""
