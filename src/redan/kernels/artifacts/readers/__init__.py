"""One small reader for each file format: it takes a source, reports into its ledger, and never runs anything."""
