// Google's SDK for Node against a live gateway; prints one line a check and exits 1 at the first that fails.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, Type } from "@google/genai";

const httpOptions = { baseUrl: process.env.URL };
const client = new GoogleGenAI({ apiKey: process.env.KEY, httpOptions });
const ask = (contents, config = {}, model = "sandbox/echo") =>
  client.models.generateContent({ model, contents, config });
async function streamed(contents, config = {}, model = "sandbox/echo") {
  const chunks = [];
  for await (const chunk of await client.models.generateContentStream({ model, contents, config })) chunks.push(chunk);
  return chunks;
}
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = { name: "get_weather", description: "The weather of a city", parametersJsonSchema: city };
const tools = [{ functionDeclarations: [weather] }];
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const checks = {
  async content() {
    const reply = await ask("Say hello", { systemInstruction: "Be brief.", temperature: 0.2, topK: 5, seed: 1 });
    assert.equal(reply.text, "Say hello");
    assert.equal(reply.candidates[0].finishReason, "STOP");
    assert.equal(reply.modelVersion, "sandbox/echo");
    assert.match(reply.responseId, /^gen_/);
    assert.ok(reply.usageMetadata.promptTokenCount > 0);
    const cut = await ask("one two three", { maxOutputTokens: 2 });
    assert.deepEqual([cut.text, cut.candidates[0].finishReason], ["one two", "MAX_TOKENS"]);
    assert.equal((await ask("one two three", { stopSequences: [" three"] })).text, "one two");
    for (const apiVersion of ["v1", "v1beta", "v1alpha"])
      assert.equal((await ask("hello", { httpOptions: { apiVersion } })).text, "hello");
  },
  async stream() {
    const chunks = await streamed("one two three four");
    assert.ok(chunks.length > 2);
    assert.equal(chunks.map((chunk) => chunk.text ?? "").join(""), "one two three four");
    assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
    assert.equal(chunks.at(-1).usageMetadata.candidatesTokenCount, 4);
  },
  async tools() {
    const question = { role: "user", parts: [{ text: "What is the weather in Paris?" }] };
    const toolConfig = { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } };
    const first = await ask([question], { tools, toolConfig });
    const [call] = first.functionCalls;
    assert.deepEqual([call.name, call.args], ["get_weather", { city: "Paris" }]);
    const result = { functionResponse: { id: call.id, name: call.name, response: { output: "18 degrees" } } };
    const final = await ask([question, first.candidates[0].content, { role: "user", parts: [result] }], { tools });
    assert.match(final.text, /18 degrees/);
    const { parametersJsonSchema: _, ...older } = weather;
    older.parameters = { type: Type.OBJECT, properties: { city: { type: Type.STRING } }, required: ["city"] };
    const [again] = (await ask("weather in Rome", { tools: [{ functionDeclarations: [older] }] })).functionCalls;
    assert.deepEqual(again.args, { city: "Rome" });
  },
  async streamed_tools() {
    const chunks = await streamed("What is the weather in Paris?", { tools }, "sandbox/parallel-tools");
    const calls = chunks.flatMap((chunk) => chunk.functionCalls ?? []);
    assert.deepEqual(calls.map((call) => call.args), [{ city: "Paris" }, { city: "Paris" }]);
  },
  async chat() {
    const chat = client.chats.create({ model: "sandbox/echo", config: { tools } });
    assert.equal((await chat.sendMessage({ message: "hello there" })).text, "hello there");
    const [call] = (await chat.sendMessage({ message: "the weather in Rome?" })).functionCalls;
    let told = "";
    const message = [{ functionResponse: { name: call.name, response: { output: "sun" } } }];
    for await (const chunk of await chat.sendMessageStream({ message })) told += chunk.text ?? "";
    assert.match(told, /sun/);
    const said = chat.getHistory().flatMap((content) => content.parts.map((part) => Object.keys(part)[0]));
    assert.deepEqual(said.slice(0, 4), ["text", "text", "text", "functionCall"]);
  },
  async vision() {
    const parts = [{ text: "What is this?" }, { inlineData: { mimeType: "image/png", data: pixel } }];
    assert.match((await ask([{ role: "user", parts }])).text, /image\/png, 70 bytes/);
    parts[1] = { fileData: { mimeType: "image/jpeg", fileUri: "https://example.com/cat.jpg" } };
    assert.match((await ask([{ role: "user", parts }])).text, /cat\.jpg/);
  },
  async schema() {
    const responseMimeType = "application/json";
    const responseSchema = { type: Type.OBJECT, properties: { day: { type: Type.INTEGER } }, required: ["day"] };
    assert.deepEqual(JSON.parse((await ask("on day 14", { responseMimeType, responseSchema })).text), { day: 14 });
    const responseJsonSchema = { type: "object", properties: { day: { type: "integer" } }, required: ["day"] };
    assert.deepEqual(JSON.parse((await ask("on day 14", { responseMimeType, responseJsonSchema })).text), { day: 14 });
  },
  async thinking() {
    const thinkingConfig = { includeThoughts: true, thinkingBudget: 128 };
    const reply = await ask("think", { thinkingConfig }, "sandbox/reasoner");
    assert.deepEqual(reply.candidates[0].content.parts.map((part) => part.thought ?? false), [true, false]);
    assert.equal(reply.text, "think");
    assert.ok(reply.usageMetadata.thoughtsTokenCount > 0);
  },
  async count() {
    const contents = "How many tokens are these?";
    assert.ok((await client.models.countTokens({ model: "sandbox/echo", contents })).totalTokens > 3);
  },
  async embeddings() {
    const config = { outputDimensionality: 16 };
    const one = await client.models.embedContent({ model: "sandbox/embed", contents: "a cat", config });
    const two = await client.models.embedContent({ model: "sandbox/embed", contents: ["a cat", "a dog"], config });
    assert.deepEqual(two.embeddings.map((embedding) => embedding.values.length), [16, 16]);
    assert.deepEqual(one.embeddings[0].values, two.embeddings[0].values);
  },
  async models() {
    const names = [];
    for await (const model of await client.models.list({ config: { pageSize: 3 } })) names.push(model.name);
    assert.ok(names.length > 3 && names.includes("models/sandbox/echo"), "several pages");
    assert.equal(new Set(names).size, names.length);
    const one = await client.models.get({ model: "sandbox/echo" });
    assert.ok(one.name === "models/sandbox/echo" && one.supportedActions.includes("generateContent"));
    await assert.rejects(client.models.get({ model: "sandbox/nothing-of-the-kind" }), { status: 404 });
  },
  async exceptions() {
    const failed = async (asking) => {
      const error = await asking.catch((error) => error);
      assert.ok(error instanceof ApiError, `${error}`);
      return [error.status, JSON.parse(error.message).error.status];
    };
    for (const [model, status, word] of [
      ["sandbox/error-400", 400, "INVALID_ARGUMENT"],
      ["sandbox/error-404", 404, "NOT_FOUND"],
      ["sandbox/error-429", 429, "RESOURCE_EXHAUSTED"],
      ["sandbox/error-500", 500, "INTERNAL"],
      ["sandbox/error-503", 503, "UNAVAILABLE"],
      ["nobody/none", 404, "NOT_FOUND"],
    ]) {
      assert.deepEqual(await failed(ask("x", {}, model)), [status, word]);
      assert.deepEqual(await failed(streamed("x", {}, model)), [status, word]);
    }
    const stranger = new GoogleGenAI({ apiKey: "sk-getgpt-wrong", httpOptions });
    const asking = stranger.models.generateContent({ model: "sandbox/echo", contents: "x" });
    assert.deepEqual(await failed(asking), [401, "UNAUTHENTICATED"]);
  },
  async broken_streams() {
    const { version } = JSON.parse(readFileSync(new URL("node_modules/@google/genai/package.json", import.meta.url)));
    for (const model of ["sandbox/cut", "sandbox/mid-stream-error"]) {
      const asking = streamed("one two three four", {}, model);
      if (version.startsWith("1.")) {
        // It knows an error only where it stands alone, outside of any event: what ends early lacks its reason.
        assert.ok((await asking).every((chunk) => !chunk.candidates?.[0].finishReason));
      } else await assert.rejects(asking, ApiError);
    }
  },
};
for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
