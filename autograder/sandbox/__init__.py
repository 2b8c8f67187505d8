"""A student's code in a process of its own, behind walls; only plain answers come out.

`walls.py` puts up the walls inside, `wire.py` is what may pass, `zygote.py` forks a process for each
submission, `student.py` is what runs in it, `bubble.py` starts a zygote, `visit.py` is the grader's
end of a conversation. Nothing here, and nothing that is visible in there, knows a check or a solution.
"""
