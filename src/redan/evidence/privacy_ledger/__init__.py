"""How much privacy the answers about a data set have cost; the question that would overspend is refused."""
