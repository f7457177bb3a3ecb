"""Browser components of the dashboard: plain ES modules, no build step."""
