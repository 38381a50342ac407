"""Calls of models and of remote tools, recorded into a file that people can read, and replayed from it.

    cassette = Cassette.open("cassettes/answers.yaml", "once", environ=os.environ)
    router = Router(catalog, ledger, cassette.environ(os.environ), connect=cassette.connect(providers.connect))
    cassette.start()
    ...
    cassette.close()

`TOOLKIT_CASSETTE` and `TOOLKIT_RECORD` do this for a whole program; see docs/cassettes.md.
"""

from toolkit.providers.cassette.cassette import Cassette

__all__ = ["Cassette"]
