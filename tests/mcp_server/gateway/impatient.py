"""The command `toolkit-mcp` where a session is free again a few seconds after its process was killed, not after 30."""

from mcp_server.__main__ import main
from toolkit.sessions import exclusive

exclusive.LEASE = 2.0

if __name__ == "__main__":
    main()
