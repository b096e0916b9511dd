"""Keys, slots, chains: the only importer of cryptography, except for the server's TLS."""
