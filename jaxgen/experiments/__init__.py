"""The named experiments: one preset a file, of at most 40 lines of data."""
