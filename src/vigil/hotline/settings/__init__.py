"""Settings of the hotline: one module per process, all built from one configuration file."""
