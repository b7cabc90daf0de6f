// The openai SDK: answers, streams, tools, structured output, models.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import OpenAI from 'openai';

import { direct, startServers } from './servers.js';

const text = 'Hello from the scripted upstream.';
const messages = [{ role: 'user', content: 'Say hello.' }];
const requestId = /^req_[0-9A-HJKMNP-TV-Z]{26}$/;
const weather = {
    type: 'function',
    function: {
        name: 'get_weather',
        parameters: {
            type: 'object', properties: { city: { type: 'string' } }, required: ['city'],
        },
    },
};
const report = {
    type: 'json_schema',
    json_schema: {
        name: 'report',
        strict: true,
        schema: {
            type: 'object',
            properties: {
                title: { type: 'string' },
                score: { type: 'integer' },
                tags: { type: 'array', items: { type: 'string' } },
            },
            required: ['title', 'score', 'tags'],
            additionalProperties: false,
        },
    },
};
let servers;
let client;

before(async () => {
    servers = await startServers();
    client = new OpenAI({ baseURL: servers.baseURL, apiKey: servers.apiKey, maxRetries: 0 });
});
after(() => servers?.stop());

async function textOf(stream) {
    let all = '';
    for await (const chunk of stream) all += chunk.choices[0]?.delta?.content ?? '';
    return all;
}

test('a chat answer has text, usage and a request id', async () => {
    const answer = await client.chat.completions.create({ model: 'writer', messages });
    assert.equal(answer.choices[0].message.content, text);
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.equal(answer.model, 'writer');
    assert.deepEqual([answer.usage.prompt_tokens, answer.usage.completion_tokens,
        answer.usage.total_tokens], [11, 6, 17]);
    if (direct) return;
    assert.match(answer._request_id, requestId);
    assert.equal(answer.id, answer._request_id.replace('req_', 'chatcmpl-'));
});

test('a stream brings the same text', async () => {
    const { data, request_id } = await client.chat.completions
        .create({ model: 'writer', messages, stream: true }).withResponse();
    assert.equal(await textOf(data), text);
    if (!direct) assert.match(request_id, requestId);
});

test('the stream helper puts the whole answer together', async () => {
    const stream = client.chat.completions.stream({ model: 'writer', messages });
    const deltas = [];
    stream.on('content', (delta) => deltas.push(delta));
    const whole = await stream.finalChatCompletion();
    assert.equal(whole.choices[0].message.content, text);
    assert.equal(deltas.join(''), text);
    assert.equal(whole.choices[0].finish_reason, 'stop');
});

test('usage comes last in a stream, and only when it was asked for', async () => {
    const plain = [];
    const asked = [];
    const body = { model: 'writer', messages, stream: true };
    for await (const chunk of await client.chat.completions.create(body)) plain.push(chunk);
    const options = { ...body, stream_options: { include_usage: true } };
    for await (const chunk of await client.chat.completions.create(options)) asked.push(chunk);
    assert.ok(plain.every((chunk) => !chunk.usage && chunk.choices.length === 1));
    assert.deepEqual(asked.at(-1).choices, []);
    assert.equal(asked.at(-1).usage.total_tokens, 17);
    assert.ok(asked.slice(0, -1).every((chunk) => chunk.usage === null));
});

test('a tool call comes whole in a plain answer', async () => {
    const answer = await client.chat.completions
        .create({ model: 'tools', messages, tools: [weather], tool_choice: 'auto' });
    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(answer.choices[0].finish_reason, 'tool_calls');
    assert.equal(call.type, 'function');
    assert.equal(call.function.name, 'get_weather');
    assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Zürich' });
});

test('streamed tool calls are put together by the helper', async () => {
    const stream = client.chat.completions
        .stream({ model: 'two-tools', messages, tools: [weather] });
    const whole = await stream.finalChatCompletion();
    const calls = whole.choices[0].message.tool_calls;
    assert.deepEqual(calls.map((call) => call.function.name), ['get_weather', 'get_time']);
    assert.deepEqual(calls.map((call) => JSON.parse(call.function.arguments)),
        [{ city: 'Zürich' }, { zone: 'Europe/Zurich' }]);
    assert.ok(calls.every((call) => call.type === 'function' && call.id));
    assert.equal(whole.choices[0].finish_reason, 'tool_calls');
});

test('tools are run by runTools until the model answers in text', async () => {
    await servers.upstream.play('tiny', [{ do: 'tools' }, { do: 'text' }]);
    await servers.upstream.play('writer', [{ do: 'tools' }, { do: 'text' }]);
    const asked = [];
    const runner = client.chat.completions.runTools({
        model: 'writer',
        messages,
        tools: [{
            ...weather,
            function: {
                ...weather.function,
                parse: JSON.parse,
                function: ({ city }) => { asked.push(city); return 'sunny'; },
            },
        }],
    });
    assert.equal(await runner.finalContent(), text);
    assert.deepEqual(asked, ['Zürich']);
    const [, second] = await servers.upstream.seen(direct ? 'writer' : 'tiny').then((all) =>
        all.slice(-2));
    assert.deepEqual(second.body.messages.map(({ role }) => role), ['user', 'assistant', 'tool']);
    assert.equal(second.body.messages[2].content, 'sunny');
    assert.equal(second.body.messages[2].tool_call_id, 'call_1');
});

test('structured output is parsed, and its schema reaches the upstream unchanged', async () => {
    const answer = await client.chat.completions
        .parse({ model: 'schema', messages, response_format: report });
    assert.deepEqual(answer.choices[0].message.parsed, { title: 'text', score: 7, tags: ['text'] });
    const seen = await servers.upstream.seen('schema');
    assert.deepEqual(seen.at(-1).body.response_format, report);
});

test('structured output comes whole out of a stream too', async () => {
    const stream = client.chat.completions
        .stream({ model: 'schema', messages, response_format: report });
    const content = (await stream.finalChatCompletion()).choices[0].message.content;
    assert.deepEqual(JSON.parse(content), { title: 'text', score: 7, tags: ['text'] });
});

test('a plain answer of the upstream is understood in both forms', { skip: direct }, async () => {
    const body = { model: 'plain-json', messages };
    const plain = await client.chat.completions.create(body);
    assert.equal(plain.choices[0].message.content, text);
    const stream = await client.chat.completions.create({ ...body, stream: true });
    assert.equal(await textOf(stream), text);
});

test('fields that the SDK does not know pass through', async () => {
    const extra = { nested: [1, 2.5, 'drei', null, true] };
    await client.chat.completions.create({ model: 'echo', messages, x_extra: extra, seed: 5 });
    const seen = await servers.upstream.seen('echo');
    assert.deepEqual(seen.at(-1).body.x_extra, extra);
    assert.equal(seen.at(-1).body.seed, 5);
});

test('the models are listed and found by name', { skip: direct }, async () => {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.deepEqual(names.slice(0, 2), ['writer', 'acme/writer']);
    assert.equal((await client.models.retrieve('acme/writer')).id, 'acme/writer');
    await assert.rejects(client.models.retrieve('nobody'), OpenAI.NotFoundError);
});
