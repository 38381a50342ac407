"""Who wants to be told of events by HTTP."""
