// Bodies and chunks, fetched raw, against schemas made from the openai package's types.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertValid } from './schemas.js';
import { direct, startServers } from './servers.js';

const messages = [{ role: 'user', content: 'Say hello.' }];
const models = ['writer', 'tools', 'two-tools', 'schema', 'reasoning', 'length', 'no-usage',
    'zero-usage', 'plain-json', 'multi-line-crlf', 'every-byte', 'connection-close'];
let servers;

before(async () => { servers = await startServers(); });
after(() => servers?.stop());

function post(body) {
    return fetch(`${servers.baseURL}/chat/completions`, {
        method: 'POST',
        headers: {
            authorization: `Bearer ${servers.apiKey}`, 'content-type': 'application/json',
        },
        body: JSON.stringify(body),
    });
}

// The decoded data of every event but [DONE], which must be the last.
async function chunksOf(answer) {
    const data = (await answer.text()).split(/\n\n/)
        .flatMap((block) => block.split('\n').filter((line) => line.startsWith('data: ')))
        .map((line) => line.slice(6));
    assert.equal(data.pop(), '[DONE]');
    return data.map((text) => JSON.parse(text));
}

test('the validators refuse what is missing', () => {
    assert.throws(() => assertValid('ChatCompletion', { id: 'x' }), /required property/);
    assert.throws(() => assertValid('ChatCompletionChunk', { choices: 1 }), /must be array/);
    assert.throws(() => assertValid('ErrorObject', { message: 'm', type: 't' }), /'code'/);
});

for (const model of models) {
    test(`a plain answer of ${model} is a ChatCompletion`, async () => {
        const answer = await post({ model, messages });
        assert.equal(answer.status, 200);
        const body = await answer.json();
        assertValid('ChatCompletion', body);
        assert.equal(body.object, 'chat.completion');
        assert.equal(body.model, direct && model === 'writer' ? 'writer' : model);
    });

    // The upstream itself writes events in ways that this small reader does not know.
    const skip = direct && ['multi-line-crlf', 'plain-json'].includes(model);
    for (const include_usage of [false, true]) {
        const usage = include_usage ? 'with usage' : 'without usage';
        test(`every chunk of ${model} ${usage} is a ChatCompletionChunk`, { skip }, async () => {
            const answer = await post({
                model, messages, stream: true, stream_options: { include_usage },
            });
            assert.equal(answer.status, 200);
            const chunks = await chunksOf(answer);
            for (const chunk of chunks) assertValid('ChatCompletionChunk', chunk);
            assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
            assert.equal(new Set(chunks.map(({ created }) => created)).size, 1);
            const finishes = chunks.flatMap(({ choices }) => choices)
                .filter(({ finish_reason }) => finish_reason !== null);
            assert.equal(finishes.length, 1);
            const counted = chunks.filter((chunk) => chunk.choices.length === 0);
            const uncounted = !include_usage || (direct && model === 'no-usage');
            assert.equal(counted.length, uncounted ? 0 : 1);
        });
    }
}

test('the list of models holds Models', async () => {
    const answer = await fetch(`${servers.baseURL}/models`, {
        headers: { authorization: `Bearer ${servers.apiKey}` },
    });
    const body = await answer.json();
    assert.equal(body.object, 'list');
    assert.ok(body.data.length > 0);
    for (const model of body.data) assertValid('Model', model);
});

test('one model is a Model, also with a slash in its name', { skip: direct }, async () => {
    for (const id of ['writer', 'acme/writer']) {
        const answer = await fetch(`${servers.baseURL}/models/${id}`, {
            headers: { authorization: `Bearer ${servers.apiKey}` },
        });
        const body = await answer.json();
        assertValid('Model', body);
        assert.equal(body.id, id);
    }
});

test('every error is an ErrorObject', { skip: direct }, async () => {
    const bodies = [{ model: 'nobody', messages }, { messages }, { model: 'writer' }, [],
        { model: 'writer', messages, temperature: 9 }, { model: 'bad-400', messages },
        { model: 'auth-401', messages }, { model: 'busy-429', messages }];
    for (const body of bodies) {
        const answer = await post(body);
        assert.ok(answer.status >= 400, JSON.stringify(body));
        assertValid('ErrorObject', (await answer.json()).error);
    }
});
