"""Texts to vectors: by the model that comes with the package, a vendor's, a library's, or a function of the user's.

What is imported here is light; numpy and the models come when the first embedder is asked for.
"""

from toolkit.search.embedding.embedder import BUNDLED, Embedder
from toolkit.search.embedding.embedders import Embedders
from toolkit.search.embedding.passage import passage, text_hash

__all__ = ["BUNDLED", "Embedder", "Embedders", "passage", "text_hash"]
