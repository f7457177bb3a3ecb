"""The vectors of texts through LangChain: `python with_langchain.py URL < texts.json > vectors.json`."""

import json
import sys

from langchain_openai import OpenAIEmbeddings

model = OpenAIEmbeddings(
    model="minilm-l6", base_url=sys.argv[1], api_key="none", check_embedding_ctx_length=False, max_retries=0
)
texts = json.load(sys.stdin)
vectors = model.embed_documents(texts)
assert model.embed_query(texts[0]) == vectors[0]
json.dump(vectors, sys.stdout)
