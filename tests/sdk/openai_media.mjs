// What OpenAI's SDK for Node makes that is no text, as files in the folder MADE for others to open; prints one line a check.
import assert from "node:assert/strict";
import { createReadStream, createWriteStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: process.env.URL, apiKey: process.env.KEY, maxRetries: 0 });
const made = (name) => join(process.env.MADE, name);
const own = { headers: { Authorization: `Bearer ${process.env.KEY}` } };
const save = (answer, name) => pipeline(Readable.fromWeb(answer.body), createWriteStream(made(name)));
const TEXT = "Hello from the gateway. Is it number 5?";

async function done(video) {
  while (["queued", "in_progress"].includes(video.status)) {
    await setTimeout(200);
    video = await client.videos.retrieve(video.id);
  }
  return video;
}

const checks = {
  async image() {
    const reply = await client.images.generate({ model: "sandbox/image", prompt: "a fox", size: "512x256" });
    await save(await fetch(reply.data[0].url, own), "image.png");
    assert.equal((await fetch(reply.data[0].url)).status, 401);
  },
  async edit() {
    const png = { type: "image/png" };
    const images = await Promise.all(["red.png", "blue.png"].map(async (name) => toFile(await readFile(made(name)), name, png)));
    const reply = await client.images.edit({
      model: "sandbox/image", prompt: "side by side", size: "256x256", image: images, response_format: "b64_json",
    });
    await writeFile(made("edit.png"), Buffer.from(reply.data[0].b64_json, "base64"));
  },
  async speech() {
    for (const response_format of ["wav", "mp3"]) {
      const answer = await client.audio.speech.create({ model: "sandbox/tts", voice: "alloy", input: TEXT, response_format });
      await save(answer, `speech.${response_format}`);
    }
  },
  async transcription() {
    const ask = (more = {}) =>
      client.audio.transcriptions.create({ model: "sandbox/stt", file: createReadStream(made("speech.mp3")), ...more });
    assert.equal((await ask()).text, TEXT);
    assert.equal((await ask({ response_format: "text" })).trim(), TEXT);
    const verbose = await ask({ response_format: "verbose_json", timestamp_granularities: ["word", "segment"] });
    assert.equal(verbose.words.length, 8);
    let said = "";
    for await (const event of await ask({ stream: true })) if (event.type === "transcript.text.delta") said += event.delta;
    assert.equal(said, TEXT);
    const file = createReadStream(made("speech.wav"));
    assert.equal((await client.audio.translations.create({ model: "sandbox/stt", file })).text, TEXT);
  },
  async video() {
    const ask = { model: "sandbox/video", prompt: "A calm sea", seconds: "4", size: "1280x720" };
    const begun = await client.videos.create(ask);
    assert.equal(begun.status, "queued");
    const video = await done(begun);
    assert.deepEqual([video.status, video.progress, video.seconds, video.size], ["completed", 100, "4", "1280x720"]);
    await save(await client.videos.downloadContent(video.id), "sea.mp4");
    const reference = await toFile(await readFile(made("red.png")), "red.png", { type: "image/png" });
    const second = await done(await client.videos.create({ ...ask, input_reference: reference }));
    assert.equal(second.status, "completed");
    const listed = [];
    for await (const one of client.videos.list({ limit: 2 })) listed.push(one.id);
    assert.ok([video, second].every((one) => listed.includes(one.id)));
    assert.ok((await client.videos.delete(video.id)).deleted);
    await assert.rejects(client.videos.retrieve(video.id), OpenAI.NotFoundError);
  },
  async failures() {
    const video = await done(await client.videos.create({ model: "sandbox/refusal", prompt: "x" }));
    assert.deepEqual([video.status, video.error.code], ["failed", "moderation_blocked"]);
    await assert.rejects(client.videos.create({ model: "sandbox/video", prompt: "x", seconds: "-4" }), OpenAI.BadRequestError);
    await assert.rejects(client.images.generate({ model: "sandbox/image", prompt: "x", n: 11 }), OpenAI.BadRequestError);
    const empty = await toFile(Buffer.from("no sound"), "x.wav");
    const error = await client.audio.transcriptions.create({ model: "sandbox/stt", file: empty }).catch((error) => error);
    assert.ok(error instanceof OpenAI.BadRequestError, String(error));
    assert.equal(error.param, "file");
  },
};
for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok ${name}`);
}
