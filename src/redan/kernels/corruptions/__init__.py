"""What happens to inputs without an adversary: noise, blur, weather, geometry, compression; for tables drift."""
