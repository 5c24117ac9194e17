"""What an import, a call or a write to an object means: frozen lists first, then the shape of the arguments."""
