"""What the commands may say no with."""


class CourseError(Exception):
    """Something an instructor can put right: one sentence that says what to do."""
