"""One check a function, in the files of their themes; each asks harmless questions and says what the answers mean."""
