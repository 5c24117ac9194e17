"""Supply chain: what is the model made of, and what happens when it is loaded."""
