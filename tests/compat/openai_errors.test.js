// The openai SDK: errors become its own exceptions, retries follow retry-after, abort reaches the
// upstream.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import OpenAI, { APIError } from 'openai';

import { direct, nowMs, startServers } from './servers.js';

const messages = [{ role: 'user', content: 'Say hello.' }];
const slow = { do: 'text', chunks: { text: 'word ', times: 5000 }, itl_ms: 5 };
const upstreamModel = direct ? 'writer' : 'tiny';
let servers;
let client;

before(async () => {
    servers = await startServers({ limits: { retries: 0 } });
    client = new OpenAI({ baseURL: servers.baseURL, apiKey: servers.apiKey, maxRetries: 0 });
});
after(() => servers?.stop());
beforeEach(() => servers.upstream.reset());

function create(body, options) {
    return client.chat.completions.create({ model: 'writer', messages, ...body }, options);
}

async function failure(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    return assert.fail('no error came');
}

test('a wrong key is an AuthenticationError', { skip: direct }, async () => {
    const stranger = new OpenAI({ baseURL: servers.baseURL, apiKey: 'qk_live_no', maxRetries: 2 });
    const error = await failure(stranger.chat.completions.create({ model: 'writer', messages }));
    assert.ok(error instanceof OpenAI.AuthenticationError, String(error));
    assert.equal(error.code, 'invalid_api_key');
    assert.equal(error.type, 'authentication_error');
    assert.match(error.requestID, /^req_/);
    assert.equal(error.headers.get('www-authenticate'), 'Bearer');
});

test('an unknown model is a NotFoundError', { skip: direct }, async () => {
    const error = await failure(create({ model: 'nobody' }));
    assert.ok(error instanceof OpenAI.NotFoundError, String(error));
    assert.deepEqual([error.code, error.param], ['model_not_found', 'model']);
});

test('a wrong field is a BadRequestError that names it', { skip: direct }, async () => {
    const error = await failure(create({ temperature: 3 }));
    assert.ok(error instanceof OpenAI.BadRequestError, String(error));
    assert.deepEqual([error.code, error.param], ['invalid_value', 'temperature']);
    const two = await failure(create({ n: 2 }));
    assert.ok(two instanceof OpenAI.BadRequestError, String(two));
    assert.deepEqual([two.code, two.param], ['unsupported_value', 'n']);
});

test('errors before a stream are exceptions of the call itself', { skip: direct }, async () => {
    const error = await failure(create({ model: 'nobody', stream: true }));
    assert.ok(error instanceof OpenAI.NotFoundError, String(error));
});

test('a busy upstream is 503 overloaded with its retry-after', { skip: direct }, async () => {
    const error = await failure(create({ model: 'busy-429-seconds' }));
    assert.ok(error instanceof OpenAI.InternalServerError, String(error));
    assert.deepEqual([error.status, error.code], [503, 'overloaded']);
    assert.equal(error.headers.get('retry-after'), '7');
});

test('the SDK waits as long as retry-after says, and tries again', async () => {
    const busy = { do: 'status', status: 429, headers: { 'retry-after': '1' } };
    await servers.upstream.play(upstreamModel, [busy, { do: 'text' }]);
    const patient = client.withOptions({ maxRetries: 2 });
    const began = nowMs();
    const answer = await patient.chat.completions.create({ model: 'writer', messages });
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.ok(nowMs() - began >= 950, `${nowMs() - began} ms`);
    assert.equal((await servers.upstream.seen(upstreamModel)).length, 2);
});

test('a broken upstream is a 502 that is tried again', { skip: direct }, async () => {
    const broken = { do: 'status', status: 500 };
    await servers.upstream.play('tiny', [broken, { do: 'text' }]);
    const answer = await client.withOptions({ maxRetries: 1 }).chat.completions
        .create({ model: 'writer', messages });
    assert.equal(answer.choices[0].finish_reason, 'stop');
    await servers.upstream.play('tiny', [broken, broken]);
    const error = await failure(create());
    assert.deepEqual([error.status, error.code], [502, 'upstream_error']);
});

test('a refused upstream key is not tried again', { skip: direct }, async () => {
    const patient = client.withOptions({ maxRetries: 2 });
    const error = await failure(patient.chat.completions.create({ model: 'auth-401', messages }));
    assert.deepEqual([error.status, error.code], [502, 'upstream_auth_failed']);
    assert.equal((await servers.upstream.seen('auth-401')).length, 1);
    assert.doesNotMatch(JSON.stringify(error), /upstream-secret/);
});

test('an upstream that dies in the middle raises, after the text it gave', async () => {
    const stream = await create({ model: 'cut', stream: true });
    let text = '';
    const error = await failure((async () => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? '';
    })());
    assert.equal(text, 'Hello from');
    if (direct) return;
    assert.ok(error instanceof APIError, String(error));
    assert.equal(error.code, 'stream_interrupted');
    assert.equal(error.type, 'server_error');
});

test('abort of a stream reaches the upstream within 100 ms', async () => {
    await servers.upstream.play(upstreamModel, [slow]);
    const controller = new AbortController();
    const stream = await create({ stream: true }, { signal: controller.signal });
    let left = 0;
    for await (const chunk of stream) {
        if (left === 0 && chunk.choices[0]?.delta?.content) {
            left = nowMs();
            controller.abort();
        }
    }
    await sawTheEnd(left);
});

test('leaving the loop over a stream reaches the upstream within 100 ms', async () => {
    await servers.upstream.play(upstreamModel, [slow]);
    let left = 0;
    for await (const chunk of await create({ stream: true })) {
        left = nowMs();
        if (chunk.choices[0]?.delta?.content) break;
    }
    await sawTheEnd(left);
});

test('abort of a plain call reaches the upstream within 100 ms', async () => {
    const kind = direct ? { do: 'silent' } : slow;
    await servers.upstream.play(upstreamModel, [kind]);
    const controller = new AbortController();
    const failing = failure(create({}, { signal: controller.signal }));
    await servers.upstream.until(upstreamModel, (seen) => seen.length === 1);
    const left = nowMs();
    controller.abort();
    assert.ok(await failing instanceof OpenAI.APIUserAbortError);
    await sawTheEnd(left);
});

async function sawTheEnd(leftAt) {
    const [seen] = await servers.upstream.until(upstreamModel, (all) => all[0]?.closed_ms);
    assert.equal(seen.answered_ms, null);
    const after = seen.closed_ms - leftAt;
    assert.ok(after <= 100, `the upstream saw it after ${after.toFixed(1)} ms`);
}
