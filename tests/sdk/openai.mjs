// OpenAI's SDK for Node against a live gateway; prints one line a check and exits 1 at the first that fails.
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: process.env.URL, apiKey: process.env.KEY, maxRetries: 0 });
const ask = (content, more = {}) =>
  client.chat.completions.create({ model: "sandbox/echo", messages: [{ role: "user", content }], ...more });
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

const schema = {
  type: "object",
  properties: { day: { type: "integer" } },
  required: ["day"],
  additionalProperties: false,
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
  async streamed_tools() {
    const stream = client.chat.completions.stream({
      model: "sandbox/parallel-tools",
      messages: [{ role: "user", content: "What is the weather in Paris?" }],
      tools: [weather],
    });
    const [choice] = (await stream.finalChatCompletion()).choices;
    assert.equal(choice.finish_reason, "tool_calls");
    const calls = choice.message.tool_calls;
    assert.deepEqual(calls.map((call) => JSON.parse(call.function.arguments).city), ["Paris", "Paris"]);
    assert.equal(new Set(calls.map((call) => call.id)).size, 2);
  },
  async runner() {
    const get_weather = { ...weather.function, function: ({ city }) => `sun in ${city}`, parse: JSON.parse };
    const runner = client.chat.completions.runTools({
      model: "sandbox/echo",
      messages: [{ role: "user", content: "weather in Rome please" }],
      tools: [{ type: "function", function: get_weather }],
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
    const reply = await client.chat.completions.parse({
      model: "sandbox/echo",
      messages: [{ role: "user", content: "on day 14" }],
      response_format: { type: "json_schema", json_schema: { name: "event", strict: true, schema } },
    });
    assert.deepEqual(reply.choices[0].message.parsed, { day: 14 });
  },
  async responses() {
    const model = "sandbox/echo";
    const reply = await client.responses.create({ model, instructions: "Be brief.", input: "Say hello" });
    assert.equal(reply.output_text, "Say hello");
    assert.equal(reply.status, "completed");
    assert.match(reply._request_id, /^req_/);
    const cut = await client.responses.create({ model, input: "one two three", max_output_tokens: 2 });
    assert.equal(cut.output_text, "one two");
    assert.equal(cut.incomplete_details.reason, "max_output_tokens");
  },
  async streamed_responses() {
    let text = "";
    const kinds = [];
    const asked = { model: "sandbox/reasoner", input: "one two" };
    for await (const event of await client.responses.create({ ...asked, stream: true })) {
      kinds.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    assert.equal(text, "one two");
    assert.equal(kinds[0], "response.created");
    assert.equal(kinds.at(-1), "response.completed");
    const final = await client.responses.stream(asked).finalResponse();
    assert.deepEqual(final.output.map((item) => item.type), ["reasoning", "message"]);
  },
  async responses_tools() {
    const tools = [{ type: "function", strict: false, ...weather.function }];
    const input = [{ role: "user", content: "What is the weather in Paris?" }];
    const reply = await client.responses.create({ model: "sandbox/echo", input, tools });
    const [call] = reply.output;
    assert.equal(JSON.parse(call.arguments).city, "Paris");
    input.push(...reply.output, { type: "function_call_output", call_id: call.call_id, output: "18 degrees" });
    const final = await client.responses.create({ model: "sandbox/echo", input, tools });
    assert.match(final.output_text, /18 degrees/);
  },
  async responses_schema() {
    const reply = await client.responses.parse({
      model: "sandbox/echo",
      input: [{ role: "user", content: [{ type: "input_text", text: "on day 14" }] }],
      text: { format: { type: "json_schema", name: "event", strict: true, schema } },
    });
    assert.deepEqual(reply.output_parsed, { day: 14 });
  },
  async count() {
    const asked = { model: "sandbox/echo", input: "How many tokens are these?" };
    const counted = await client.responses.inputTokens.count(asked);
    assert.ok(counted.input_tokens > 3);
  },
  async embeddings() {
    const ask = { model: "sandbox/embed", input: ["a cat", "a dog"], dimensions: 16 };
    const packed = await client.embeddings.create(ask);
    const numbers = await client.embeddings.create({ ...ask, encoding_format: "float" });
    assert.deepEqual(packed.data.map((one) => one.embedding.length), [16, 16]);
    packed.data[1].embedding.forEach((value, at) => assert.ok(Math.abs(value - numbers.data[1].embedding[at]) < 1e-6));
  },
  async images() {
    const ask = { model: "sandbox/image", prompt: "a fox", size: "64x64" };
    const made = await client.images.generate({ ...ask, response_format: "b64_json" });
    const bytes = Buffer.from(made.data[0].b64_json, "base64");
    assert.equal(bytes.subarray(1, 4).toString(), "PNG");
    const image = await toFile(bytes, "fox.png", { type: "image/png" });
    const edited = await client.images.edit({ ...ask, image, prompt: "a blue fox", output_format: "webp" });
    const kept = await fetch(edited.data[0].url, { headers: { Authorization: `Bearer ${process.env.KEY}` } });
    assert.equal(kept.headers.get("content-type"), "image/webp");
    const seen = [];
    for await (const event of await client.images.generate({ ...ask, stream: true, partial_images: 1 })) seen.push(event.type);
    assert.deepEqual(seen, ["image_generation.partial_image", "image_generation.completed"]);
  },
  async completions() {
    const reply = await client.completions.create({ model: "sandbox/echo", prompt: "one two three" });
    assert.match(reply.choices[0].text, /one two three/);
  },
  async models() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.includes("sandbox/echo"));
    assert.equal((await client.models.retrieve("sandbox/echo")).id, "sandbox/echo");
    await assert.rejects(client.models.retrieve("sandbox/nothing-of-the-kind"), OpenAI.NotFoundError);
  },
  async exceptions() {
    for (const [model, kind] of [
      ["sandbox/error-400", OpenAI.BadRequestError],
      ["sandbox/error-404", OpenAI.NotFoundError],
      ["sandbox/error-409", OpenAI.ConflictError],
      ["sandbox/error-422", OpenAI.UnprocessableEntityError],
      ["sandbox/error-429", OpenAI.RateLimitError],
      ["sandbox/error-500", OpenAI.InternalServerError],
      ["nobody/none", OpenAI.NotFoundError],
    ]) {
      await assert.rejects(ask("x", { model }), kind);
      await assert.rejects(client.responses.create({ model, input: "x", stream: true }), kind);
    }
    const stranger = new OpenAI({ baseURL: process.env.URL, apiKey: "sk-getgpt-wrong", maxRetries: 0 });
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
    const error = await ask("x", { temperature: 9 }).catch((error) => error);
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "temperature");
    assert.match(error.requestID, /^req_/);
  },
  async broken_streams() {
    for (const model of ["sandbox/cut", "sandbox/mid-stream-error"]) {
      const messages = [{ role: "user", content: "one two three four" }];
      for (const ask of [
        () => client.chat.completions.create({ model, messages, stream: true }),
        () => client.responses.create({ model, input: messages, stream: true }),
      ])
        await assert.rejects(async () => {
          for await (const _ of await ask());
        }, OpenAI.APIError);
    }
  },
};
for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
