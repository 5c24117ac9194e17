"""How far planted secrets stand out among secrets that might have been planted: numbers in, bits out."""
