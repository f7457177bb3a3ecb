"""The vectors of texts through OpenAI's client: `python with_openai.py URL < texts.json > vectors.json`."""

import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
answer = client.embeddings.create(model="minilm-l6", input=json.load(sys.stdin))
json.dump([one.embedding for one in answer.data], sys.stdout)
