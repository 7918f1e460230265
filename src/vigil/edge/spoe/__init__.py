"""The SPOE door: HAProxy asks the node about each request and gets a variable to decide by."""
