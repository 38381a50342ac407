"""Postgres: a pool of asyncpg connections, our own or somebody else's."""
