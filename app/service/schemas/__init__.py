"""The requests and responses of the service."""
