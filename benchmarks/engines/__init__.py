"""The searches that are compared, each in a process of its own, used as its documentation says."""
