"""Pure writers: a report in, bytes out. They know only `redan.core` and read nothing but the report."""
