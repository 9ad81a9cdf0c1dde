"""The verbs and questions of the store, once for all engines.

They are functions of a connection, in SQL that SQLite understands as it stands and PostgreSQL after
the few replacements of `relay.journal.postgres.dialect`: conflict targets are named, columns in
them qualified, subqueries in FROM have an alias, truth is compared (`orphan = 0`), a list comes as
JSON by `json_each`, its numbers cast to BIGINT, patterns are LIKE in ASCII without case.
"""
