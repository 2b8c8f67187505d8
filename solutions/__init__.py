"""The reference implementation: one module a topic, named like its chapter."""
