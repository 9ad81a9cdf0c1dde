"""The shared engine: PostgreSQL through libpq's pipelines, any number of relays on one database."""
