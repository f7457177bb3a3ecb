"""Collections by name, what people bring into them and take away."""
