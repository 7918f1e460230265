"""The matching core: values in, verdict out. No network, clock or framework; disk only to map an index file."""
