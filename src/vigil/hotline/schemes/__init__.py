"""Labels and axes of classification schemes as data, and one-way mappings from labels to axes."""
