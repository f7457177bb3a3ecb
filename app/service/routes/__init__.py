"""The endpoints, a file for each noun; `polysema.app.service.app` puts them together."""
