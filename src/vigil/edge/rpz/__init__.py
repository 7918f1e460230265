"""The hidden primary of a node: a response policy zone made of the edition in force, handed on by zone transfer."""
