"""The upload gate of a platform: nothing is published before an edge node has said that it is on no list."""
