"""How to get there: planner, slicer, brackets."""
