// The official OpenAI SDK for Node against a live gateway; prints one line a check and exits 1 at the first that fails.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0 });
const ask = (content, more = {}) =>
  client.chat.completions.create({ model: "sandbox/echo", messages: [{ role: "user", content }], ...more });
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

const checks = {
  async chat() {
    const reply = await ask("Say hello");
    assert.equal(reply.choices[0].message.content, "Say hello");
    assert.match(reply._request_id, /^req_/);
  },
  async stream() {
    let text = "";
    let last;
    for await (const chunk of await ask("one two three", { stream: true, stream_options: { include_usage: true } })) {
      text += chunk.choices[0]?.delta?.content ?? "";
      last = chunk;
    }
    assert.equal(text, "one two three");
    assert.equal(last.usage.completion_tokens, 3);
  },
  async tools() {
    const reply = await ask("What is the weather in Paris?", { tools: [weather] });
    const [call] = reply.choices[0].message.tool_calls;
    assert.equal(JSON.parse(call.function.arguments).city, "Paris");
    const final = await client.chat.completions.create({
      model: "sandbox/echo",
      messages: [
        { role: "user", content: "What is the weather in Paris?" },
        reply.choices[0].message,
        { role: "tool", tool_call_id: call.id, content: "18 degrees" },
      ],
      tools: [weather],
    });
    assert.match(final.choices[0].message.content, /18 degrees/);
  },
  async runner() {
    const runner = client.chat.completions.runTools({
      model: "sandbox/echo",
      messages: [{ role: "user", content: "weather in Rome please" }],
      tools: [{ ...weather, function: { ...weather.function, function: ({ city }) => `sun in ${city}`, parse: JSON.parse } }],
    });
    assert.match(await runner.finalContent(), /sun in Rome/);
  },
  async vision() {
    const reply = await ask([
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url: "https://example.com/cat.jpg" } },
    ]);
    assert.match(reply.choices[0].message.content, /cat\.jpg/);
  },
  async schema() {
    const schema = { type: "object", properties: { day: { type: "integer" } }, required: ["day"], additionalProperties: false };
    const reply = await client.chat.completions.parse({
      model: "sandbox/echo",
      messages: [{ role: "user", content: "on day 14" }],
      response_format: { type: "json_schema", json_schema: { name: "event", strict: true, schema } },
    });
    assert.deepEqual(reply.choices[0].message.parsed, { day: 14 });
  },
  async exceptions() {
    for (const [model, kind] of [
      ["sandbox/error-400", OpenAI.BadRequestError],
      ["sandbox/error-404", OpenAI.NotFoundError],
      ["sandbox/error-429", OpenAI.RateLimitError],
      ["sandbox/error-500", OpenAI.InternalServerError],
    ])
      await assert.rejects(ask("x", { model }), kind);
    const stranger = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "sk-getgpt-wrong", maxRetries: 0 });
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
    await assert.rejects(async () => {
      for await (const _ of await ask("one two three four", { model: "sandbox/cut", stream: true }));
    }, OpenAI.APIError);
  },
  async models() {
    assert.equal((await client.models.retrieve("sandbox/echo")).id, "sandbox/echo");
  },
};
for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
