"""The HMA-compatible door: hashing and matching as Hasher-Matcher-Actioner answers it, on a port and in processes of its own."""
