"""The inventory and everything that mvpc remembers: one SQLite file, `mvpc.db`, in the project's state folder.

    schema    version of the tables, and database errors in words          (sqlite3)
    read      queries; quick to start                                       (sqlite3)
    answers   store what laptops say of themselves; quick to start          (sqlite3)
    tables    the tables                                                    (SQLModel)
    database  open for writing, migrate, back up                            (SQLAlchemy, Alembic)
    write     what the rest of mvpc writes with: `Store`                    (SQLAlchemy Core)

Rows never leave this package: values of `mvpc.model` go in and come out. Nothing is imported here, so that
reading does not pay for what only writing needs.
"""
