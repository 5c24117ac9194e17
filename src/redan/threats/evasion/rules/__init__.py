"""One rule a file: the module's docstring is its page, the constant RULE its facts."""
