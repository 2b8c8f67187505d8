"""Grading: what an answer must do, how it is asked, and what is said about it."""
