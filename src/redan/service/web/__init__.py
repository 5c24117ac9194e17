"""The table of routes and how each is guarded: authentication, authorisation, step-up, audit."""
