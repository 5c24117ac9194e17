"""Merkle trees over SHA-256 as transparency logs use them: hashes, proofs, tiles (RFC 6962, RFC 9162, C2SP tlog-tiles)."""
