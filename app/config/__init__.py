"""Settings, API keys and ports."""
