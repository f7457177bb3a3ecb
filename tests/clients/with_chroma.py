"""The vectors of texts through Chroma's embedding function: `python with_chroma.py URL < texts.json > vectors.json`."""

import json
import sys

from chromadb.utils.embedding_functions import OpenAIEmbeddingFunction

embed = OpenAIEmbeddingFunction(api_key="none", api_base=sys.argv[1], model_name="minilm-l6")
json.dump([[float(number) for number in vector] for vector in embed(json.load(sys.stdin))], sys.stdout)
