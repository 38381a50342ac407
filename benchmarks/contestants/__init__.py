"""The clients that are compared: each a process of its own, in the interpreter that has its packages.

A contestant's module imports what it measures and `worker`, and nothing else of this project: most of them run where
the toolkit is not installed.
"""
