// The official JavaScript package, unmodified, against the server at argv[2] with the key argv[3]. Prints TAP.
import assert from "node:assert";
import { createRequire } from "node:module";

const OpenAI = createRequire(process.env.CLIENTS + "/")("openai").default;
const [, , url, key] = process.argv;
const client = new OpenAI({ baseURL: url + "/v1", apiKey: key });
const model = (await client.models.list()).data[0].id;
const messages = [{ role: "user", content: "What is the capital of Japan?" }];

const steps = {
  async chat() {
    const r = await client.chat.completions.create({ model, messages, temperature: 0 });
    assert.match(r.choices[0].message.content, /Tokyo/);
    assert.equal(r.usage.total_tokens, r.usage.prompt_tokens + r.usage.completion_tokens);
  },
  async streaming() {
    const whole = (await client.chat.completions.create({ model, messages, temperature: 0 })).choices[0].message.content;
    let text = "", usage = null;
    for await (const c of await client.chat.completions.create({ model, messages, temperature: 0, stream: true, stream_options: { include_usage: true } })) {
      text += c.choices[0]?.delta?.content ?? "";
      usage = c.usage ?? usage;
    }
    assert.equal(text, whole);
    assert.ok(usage.completion_tokens > 3);
  },
  async completions() {
    const r = await client.completions.create({ model, prompt: "The sky is", max_tokens: 6, temperature: 0, logprobs: 1 });
    assert.equal(r.choices[0].logprobs.tokens.join(""), r.choices[0].text);
  },
  async responses() {
    const r = await client.responses.create({ model, input: "What is the capital of Japan?", temperature: 0 });
    assert.match(r.output_text, /Tokyo/);
    let text = "";
    for await (const e of await client.responses.create({ model, input: "What is the capital of Japan?", temperature: 0, stream: true })) {
      if (e.type === "response.output_text.delta") text += e.delta;
    }
    assert.equal(text, r.output_text);
  },
  async schema() {
    const schema = { type: "object", properties: { city: { type: "string", maxLength: 20 } }, required: ["city"], additionalProperties: false };
    const r = await client.chat.completions.create({ model, messages, max_tokens: 100, response_format: { type: "json_schema", json_schema: { name: "city", schema, strict: true } } });
    assert.deepEqual(Object.keys(JSON.parse(r.choices[0].message.content)), ["city"]);
  },
  async errors() {
    await assert.rejects(client.chat.completions.create({ model, messages, top_p: 2 }), (e) => e.status === 400 && e.param === "top_p");
    await assert.rejects(client.chat.completions.create({ model: "other", messages }), (e) => e.status === 404);
    await assert.rejects(new OpenAI({ baseURL: url + "/v1", apiKey: "no" }).models.list(), (e) => e.status === 401);
  },
  async aborts() {
    const stop = new AbortController();
    const s = await client.chat.completions.create({ model, messages: [{ role: "user", content: "Count to 500." }], stream: true, max_tokens: 2000 }, { signal: stop.signal });
    let n = 0;
    for await (const _ of s) if (++n === 3) stop.abort();
    assert.ok(n < 50);
  },
};
let i = 0, failed = 0;
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok ${++i} - ${name}`);
  } catch (e) {
    failed = 1;
    console.error(e);
    console.log(`not ok ${++i} - ${name}`);
  }
}
process.exit(failed);
