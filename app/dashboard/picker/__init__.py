"""The one picker of models and spaces: what is here, what was used before, and whatever else can be opened."""
