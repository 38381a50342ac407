"""How vendors are spoken to: the wires that several of them share, the connection under them, and their failures."""
