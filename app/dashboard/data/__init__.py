"""The page Data: what is brought, what is here, what runs."""
