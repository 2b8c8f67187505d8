"""The reference implementation of the course: one module for each topic, named like its chapter."""
