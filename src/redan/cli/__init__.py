"""The command line: one file a verb, imported only when it is called."""

import gc

# Start-up allocates much and frees nothing; collecting it over and over costs a tenth of a short command.
gc.set_threshold(100_000, 20, 20)
