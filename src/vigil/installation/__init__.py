"""One installation: its data folder, its processes, its demo, its doctor."""
