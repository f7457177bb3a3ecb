"""The endpoints, a file for each noun; `polysema.app.api` puts them together."""
