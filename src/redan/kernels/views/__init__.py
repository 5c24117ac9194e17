"""How a camera may see one thing: turned, nearer, moved, in other light, with noise."""
