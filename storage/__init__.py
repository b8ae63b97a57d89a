"""The database: one file per noun, rows in and out, no talk."""
