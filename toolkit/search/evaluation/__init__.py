"""How good a search is: judged queries, measures with intervals, a report and a picture."""
