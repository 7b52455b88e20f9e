// Anthropic's SDK for Node against a live gateway; prints one line a check and exits 1 at the first that fails.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";

const options = { baseURL: process.env.URL, maxRetries: 0 };
const client = new Anthropic({ ...options, apiKey: process.env.KEY });
const asked = (content, more = {}) => ({
  model: "sandbox/echo",
  max_tokens: 200,
  messages: [{ role: "user", content }],
  ...more,
});
const ask = (content, more) => client.messages.create(asked(content, more));
const weather = {
  name: "get_weather",
  description: "The weather of a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const checks = {
  async message() {
    const reply = await ask("Say hello", { system: "Be brief.", metadata: { user_id: "u" } });
    assert.deepEqual(reply.content.map((block) => block.text), ["Say hello"]);
    assert.equal(reply.stop_reason, "end_turn");
    assert.equal(reply.model, "sandbox/echo");
    assert.ok(reply.usage.input_tokens > 0 && reply.usage.output_tokens > 0);
    assert.match(reply.id, /^msg_/);
    assert.match(reply._request_id, /^req_/);
    const cut = await ask("one two three", { max_tokens: 2 });
    assert.deepEqual([cut.content[0].text, cut.stop_reason], ["one two", "max_tokens"]);
    const stopped = await ask("one two three", { stop_sequences: [" three"] });
    assert.deepEqual([stopped.content[0].text, stopped.stop_sequence], ["one two", " three"]);
  },
  async stream() {
    const kinds = [];
    for await (const event of await ask("one two three", { stream: true })) kinds.push(event.type);
    assert.equal(kinds[0], "message_start");
    assert.equal(kinds.at(-1), "message_stop");
    let text = "";
    const stream = client.messages.stream(asked("one two three")).on("text", (piece) => (text += piece));
    const final = await stream.finalMessage();
    assert.equal(text, "one two three");
    assert.equal(await stream.finalText(), text);
    assert.equal(final.usage.output_tokens, 3);
  },
  async tools() {
    const question = { role: "user", content: "What is the weather in Paris?" };
    const options = { model: "sandbox/echo", max_tokens: 200, tools: [weather] };
    const first = await client.messages.create({ ...options, messages: [question], tool_choice: { type: "any" } });
    const [call] = first.content;
    assert.equal(first.stop_reason, "tool_use");
    assert.deepEqual(call.input, { city: "Paris" });
    const result = { type: "tool_result", tool_use_id: call.id, content: [{ type: "text", text: "18 degrees" }] };
    const final = await client.messages.create({
      ...options,
      messages: [question, { role: "assistant", content: first.content }, { role: "user", content: [result] }],
    });
    assert.match(final.content[0].text, /18 degrees/);
  },
  async streamed_tools() {
    const question = asked("What is the weather in Paris?", { model: "sandbox/parallel-tools", tools: [weather] });
    const { content } = await client.messages.stream(question).finalMessage();
    assert.deepEqual(content.map((block) => [block.name, block.input?.city]), Array(2).fill(["get_weather", "Paris"]));
    assert.equal(new Set(content.map((block) => block.id)).size, 2);
    const lone = await ask("weather in Paris", {
      model: "sandbox/parallel-tools",
      tools: [weather],
      tool_choice: { type: "any", disable_parallel_tool_use: true },
    });
    assert.equal(lone.content.filter((block) => block.type === "tool_use").length, 1);
  },
  async runner() {
    const final = await client.beta.messages.toolRunner(
      asked("weather in Rome please", {
        tools: [{ type: "custom", ...weather, run: ({ city }) => `sun in ${city}`, parse: (input) => input }],
      }),
    );
    assert.match(final.content[0].text, /sun in Rome/);
  },
  async vision() {
    const reply = await ask([
      { type: "image", source: { type: "base64", media_type: "image/png", data: pixel } },
      { type: "image", source: { type: "url", url: "https://example.com/cat.jpg" } },
      { type: "text", text: "What is this?", cache_control: { type: "ephemeral" } },
    ]);
    assert.match(reply.content[0].text, /image\/png, 70 bytes/);
    assert.match(reply.content[0].text, /cat\.jpg/);
  },
  async schema() {
    const properties = { day: { type: "integer" } };
    const schema = { type: "object", properties, required: ["day"], additionalProperties: false };
    const reply = await client.messages.parse(
      asked("on day 14", { output_config: { format: jsonSchemaOutputFormat(schema) } }),
    );
    assert.deepEqual(reply.parsed_output, { day: 14 });
  },
  async thinking() {
    const more = { model: "sandbox/reasoner", max_tokens: 2000, thinking: { type: "enabled", budget_tokens: 1024 } };
    const first = await client.messages.stream(asked("think", more)).finalMessage();
    assert.deepEqual(first.content.map((block) => block.type), ["thinking", "text"]);
    const again = await client.messages.create({
      ...asked("", more),
      messages: [
        { role: "user", content: "think" },
        { role: "assistant", content: first.content },
        { role: "user", content: "again" },
      ],
    });
    assert.equal(again.content[1].text, "again");
  },
  async count() {
    const { messages } = asked("How many tokens are these?");
    const counted = await client.messages.countTokens({ model: "sandbox/echo", messages, tools: [weather] });
    assert.ok(counted.input_tokens > 3);
  },
  async models() {
    const names = [];
    for await (const model of client.models.list({ limit: 3 })) names.push(model.id);
    assert.ok(names.length > 3 && names.includes("sandbox/echo"), "several pages");
    assert.equal(new Set(names).size, names.length);
    const one = await client.models.retrieve("sandbox/echo");
    assert.deepEqual([one.id, one.type], ["sandbox/echo", "model"]);
    await assert.rejects(client.models.retrieve("sandbox/nothing-of-the-kind"), Anthropic.NotFoundError);
  },
  async exceptions() {
    for (const [model, kind, type] of [
      ["sandbox/error-400", Anthropic.BadRequestError, "invalid_request_error"],
      ["sandbox/error-404", Anthropic.NotFoundError, "not_found_error"],
      ["sandbox/error-422", Anthropic.UnprocessableEntityError, "invalid_request_error"],
      ["sandbox/error-429", Anthropic.RateLimitError, "rate_limit_error"],
      ["sandbox/error-500", Anthropic.InternalServerError, "api_error"],
      ["sandbox/error-529", Anthropic.InternalServerError, "overloaded_error"],
      ["nobody/none", Anthropic.NotFoundError, "not_found_error"],
    ])
      for (const stream of [false, true]) {
        const error = await ask("x", { model, stream }).catch((error) => error);
        assert.ok(error instanceof kind, `${model}: ${error}`);
        assert.equal(error.error.error.type, type);
        assert.match(error.requestID, /^req_/);
      }
    const stranger = new Anthropic({ ...options, apiKey: "sk-getgpt-wrong" });
    await assert.rejects(stranger.messages.create(asked("x")), Anthropic.AuthenticationError);
    await assert.rejects(stranger.models.list(), Anthropic.AuthenticationError);
    const bearer = new Anthropic({ ...options, apiKey: null, authToken: process.env.KEY });
    assert.equal((await bearer.messages.create(asked("hello"))).content[0].text, "hello");
  },
  async broken_streams() {
    for (const model of ["sandbox/cut", "sandbox/mid-stream-error"]) {
      await assert.rejects(async () => {
        for await (const _ of await ask("one two three four", { model, stream: true }));
      }, Anthropic.APIError);
      const stream = client.messages.stream(asked("one two three four", { model }));
      await assert.rejects(stream.finalMessage(), Anthropic.APIError);
    }
  },
};
for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
