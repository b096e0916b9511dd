"""Keys, slots, chains: the only importer of cryptography, but for the server's TLS."""
