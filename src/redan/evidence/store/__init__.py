"""The store: runs, findings, evidence, statements and log checkpoints in SQLite or PostgreSQL, blobs beside them.

The database holds what is searched: names, severities, digests, times. What was written (reports, envelopes, evidence)
lies in blobs, encrypted when the store has a key. ``open_store`` in `redan.evidence.store.opening` is the door.
"""
