"""The servers of `benchmarks.mcp`: the same tool behind this project, the bare SDK and fastmcp."""
