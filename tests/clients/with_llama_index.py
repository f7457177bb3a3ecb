"""The vectors of texts through LlamaIndex: `python with_llama_index.py URL < texts.json > vectors.json`."""

import json
import sys

from llama_index.embeddings.openai_like import OpenAILikeEmbedding

model = OpenAILikeEmbedding(model_name="minilm-l6", api_base=sys.argv[1], api_key="none", embed_batch_size=2048)
json.dump(model.get_text_embedding_batch(json.load(sys.stdin)), sys.stdout)
