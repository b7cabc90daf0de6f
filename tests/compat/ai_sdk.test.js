// The `ai` SDK through @ai-sdk/openai-compatible.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
    APICallError, RetryError, generateObject, generateText, jsonSchema, stepCountIs, streamObject,
    streamText, tool,
} from 'ai';

import { direct, nowMs, startServers } from './servers.js';

const text = 'Hello from the scripted upstream.';
const prompt = 'Say hello.';
const slow = { do: 'text', chunks: { text: 'word ', times: 5000 }, itl_ms: 5 };
const upstreamModel = direct ? 'writer' : 'tiny';
let servers;
let quire;

before(async () => {
    servers = await startServers({ limits: { retries: 0 } });
    quire = createOpenAICompatible({
        name: 'quire',
        baseURL: servers.baseURL,
        apiKey: servers.apiKey,
        includeUsage: true,
        supportsStructuredOutputs: true,
    });
});
after(() => servers?.stop());
beforeEach(() => servers.upstream.reset());

const report = jsonSchema({
    type: 'object',
    properties: { title: { type: 'string' }, score: { type: 'integer' } },
    required: ['title', 'score'],
    additionalProperties: false,
});

const weather = (asked) => tool({
    description: 'The weather in a city.',
    inputSchema: jsonSchema({
        type: 'object', properties: { city: { type: 'string' } }, required: ['city'],
    }),
    execute: async ({ city }) => { asked.push(city); return 'sunny'; },
});

async function failure(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    return assert.fail('no error came');
}

// Reads a stream to its end and gives its text and its first error.
async function drained(result) {
    let all = '';
    let error;
    for await (const part of result.fullStream) {
        if (part.type === 'text-delta') all += part.text;
        if (part.type === 'error') error ??= part.error;
    }
    return { all, error };
}

test('generateText gives text, usage and a finish reason', async () => {
    const result = await generateText({ model: quire('writer'), prompt, maxRetries: 0 });
    assert.equal(result.text, text);
    assert.equal(result.finishReason, 'stop');
    assert.equal(result.usage.inputTokens, 11);
    assert.equal(result.usage.outputTokens, 6);
});

test('streamText gives the same text and, as asked for, the usage', async () => {
    const result = streamText({ model: quire('writer'), prompt, maxRetries: 0 });
    assert.deepEqual(await drained(result), { all: text, error: undefined });
    assert.equal(await result.finishReason, 'stop');
    assert.equal((await result.usage).inputTokens, 11);
    assert.equal((await result.usage).outputTokens, 6);
});

test('streamText works without includeUsage', async () => {
    const bare = createOpenAICompatible({
        name: 'quire', baseURL: servers.baseURL, apiKey: servers.apiKey,
    });
    const result = streamText({ model: bare('writer'), prompt, maxRetries: 0 });
    assert.deepEqual(await drained(result), { all: text, error: undefined });
});

test('reasoning is told apart from the text', async () => {
    const result = await generateText({ model: quire('reasoning'), prompt, maxRetries: 0 });
    assert.equal(result.reasoningText, 'Let me think.');
    assert.equal(result.text, text);
    const stream = streamText({ model: quire('reasoning'), prompt, maxRetries: 0 });
    await drained(stream);
    assert.equal(await stream.reasoningText, 'Let me think.');
});

test('a tool is called and its result sent back, plain and streamed', async () => {
    const steps = [{ do: 'tools' }, { do: 'text' }];
    const options = (asked) => ({
        model: quire('writer'),
        prompt,
        maxRetries: 0,
        tools: { get_weather: weather(asked) },
        stopWhen: stepCountIs(3),
    });
    const asked = [];
    await servers.upstream.play(upstreamModel, steps);
    assert.equal((await generateText(options(asked))).text, text);
    await servers.upstream.play(upstreamModel, steps);
    assert.equal((await drained(streamText(options(asked)))).all, text);
    assert.deepEqual(asked, ['Zürich', 'Zürich']);
    const seen = await servers.upstream.seen(upstreamModel);
    assert.deepEqual(seen.at(-1).body.messages.map(({ role }) => role),
        ['user', 'assistant', 'tool']);
});

test('generateObject gets an object of the schema', async () => {
    const options = { model: quire('schema'), prompt, schema: report, maxRetries: 0 };
    assert.deepEqual((await generateObject(options)).object, { title: 'text', score: 7 });
    const seen = await servers.upstream.seen('schema');
    assert.equal(seen.at(-1).body.response_format.type, 'json_schema');
});

test('streamObject gets the same object', async () => {
    const result = streamObject({
        model: quire('schema'), prompt, schema: report, maxRetries: 0,
    });
    for await (const partial of result.partialObjectStream) assert.ok(partial);
    assert.deepEqual(await result.object, { title: 'text', score: 7 });
});

test('errors are APICallErrors with status and message', { skip: direct }, async () => {
    const unknown = await failure(generateText({ model: quire('nobody'), prompt, maxRetries: 2 }));
    assert.ok(APICallError.isInstance(unknown), String(unknown));
    assert.equal(unknown.statusCode, 404);
    assert.equal(unknown.isRetryable, false);
    assert.equal(JSON.parse(unknown.responseBody).error.code, 'model_not_found');

    const stranger = createOpenAICompatible({
        name: 'quire', baseURL: servers.baseURL, apiKey: 'nobody',
    });
    const refused = await failure(generateText({ model: stranger('writer'), prompt }));
    assert.equal(refused.statusCode, 401);
});

test('a busy upstream is tried again after retry-after', async () => {
    const busy = { do: 'status', status: 429, headers: { 'retry-after': '1' } };
    await servers.upstream.play(upstreamModel, [busy, { do: 'text' }]);
    const began = nowMs();
    const result = await generateText({ model: quire('writer'), prompt, maxRetries: 1 });
    assert.equal(result.text, text);
    assert.ok(nowMs() - began >= 950, `${nowMs() - began} ms`);
});

test('retries end with the last error', { skip: direct }, async () => {
    const broken = { do: 'status', status: 500 };
    await servers.upstream.play('tiny', [], broken);
    const error = await failure(generateText({ model: quire('writer'), prompt, maxRetries: 1 }));
    assert.ok(RetryError.isInstance(error), String(error));
    assert.equal(error.lastError.statusCode, 502);
});

test('an upstream that dies midway is an error part of the stream', { skip: direct }, async () => {
    const onError = () => {};
    const result = streamText({ model: quire('cut'), prompt, maxRetries: 0, onError });
    const { all, error } = await drained(result);
    assert.equal(all, 'Hello from');
    assert.ok(error, 'no error part came');
});

test('abort of a stream reaches the upstream within 100 ms', async () => {
    await servers.upstream.play(upstreamModel, [slow]);
    const controller = new AbortController();
    const result = streamText({
        model: quire('writer'), prompt, maxRetries: 0, abortSignal: controller.signal,
    });
    let left = 0;
    for await (const part of result.fullStream) {
        if (left === 0 && part.type === 'text-delta') {
            left = nowMs();
            controller.abort();
        }
    }
    await sawTheEnd(left);
});

test('abort of a plain call reaches the upstream within 100 ms', async () => {
    await servers.upstream.play(upstreamModel, [{ do: 'silent' }]);
    const controller = new AbortController();
    const failing = failure(generateText({
        model: quire('writer'), prompt, maxRetries: 0, abortSignal: controller.signal,
    }));
    await servers.upstream.until(upstreamModel, (seen) => seen.length === 1);
    const left = nowMs();
    controller.abort();
    assert.equal((await failing).name, 'AbortError');
    await sawTheEnd(left);
});

async function sawTheEnd(leftAt) {
    const [seen] = await servers.upstream.until(upstreamModel, (all) => all[0]?.closed_ms);
    assert.equal(seen.answered_ms, null);
    const after = seen.closed_ms - leftAt;
    assert.ok(after <= 100, `the upstream saw it after ${after.toFixed(1)} ms`);
}
