"""What goes over the wire to a model that runs elsewhere."""
