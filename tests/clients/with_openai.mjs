// The vectors of texts through OpenAI's client for Node: `node with_openai.mjs URL < texts.json > vectors.json`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// from where `npm install` was run, not from beside this file
const require = createRequire(join(process.cwd(), "package.json"));
const { OpenAI } = require("openai");

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
const input = JSON.parse(readFileSync(0, "utf8"));
const answer = await client.embeddings.create({ model: "minilm-l6", input });
process.stdout.write(JSON.stringify(answer.data.map((one) => one.embedding)));
