// Starts what the tests talk to: the scripted upstream, and quire in front of it.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(import.meta.dirname, '../..');
const binary = resolve(process.env.QUIRE_BINARY ?? join(root, 'build/release/quire'));
const readyLimitMs = 20_000;

// True when the tests talk to the upstream itself, to check the tests.
export const direct = process.env.QUIRE_COMPAT_DIRECT === '1';

// Milliseconds on the clock that the upstream stamps its records with.
export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

export async function startServers({ limits = {} } = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'quire-compat-'));
    const upstream = await start('python3', [join(root, 'tests/support/scripted_upstream.py')], {});
    const control = new Upstream(upstream.ready.url);
    if (direct) {
        return {
            url: upstream.ready.url,
            baseURL: `${upstream.ready.url}/v1`,
            apiKey: 'none',
            upstream: control,
            stop: () => stopAll([upstream], folder),
        };
    }
    const config = join(folder, 'quire.yaml');
    await writeFile(config, JSON.stringify(await configFor(upstream.ready.url, limits)));
    const quire = await start(
        binary,
        ['up', '--data', join(folder, 'data'), '--listen', '127.0.0.1:0',
            '--admin', '127.0.0.1:0', '--json', '--config', config],
        { HOME: folder, LOCAL_KEY: 'upstream-secret' },
    );
    return {
        url: quire.ready.url,
        baseURL: `${quire.ready.url}/v1`,
        apiKey: quire.ready.api_key,
        upstream: control,
        stop: () => stopAll([quire, upstream], folder),
    };
}

// Every preset of the upstream is a model of the same name; `writer` is an ordinary one.
async function configFor(url, limits) {
    const { data } = await (await fetch(`${url}/v1/models`)).json();
    const entry = (name) => ({
        provider: 'local', upstream_model: name, price: { input: 150000, output: 600000 },
    });
    const models = Object.fromEntries(data.map(({ id }) => [id, entry(id)]));
    return {
        providers: {
            local: { kind: 'openai', base_url: `${url}/v1`, api_key: 'env:LOCAL_KEY' },
        },
        models: { writer: entry('tiny'), 'acme/writer': entry('tiny'), ...models },
        limits,
    };
}

class Upstream {
    constructor(url) {
        this.url = url;
    }

    async play(model, queue, then) {
        await this.#post('/_script', { model, queue, ...(then ? { then } : {}) });
    }

    async reset() {
        await this.#post('/_reset', {});
    }

    async seen(model) {
        return (await fetch(`${this.url}/_seen?model=${encodeURIComponent(model)}`)).json();
    }

    // Polls what was seen until it is as wanted.
    async until(model, holds, limitMs = 5000) {
        const end = nowMs() + limitMs;
        for (;;) {
            const seen = await this.seen(model);
            if (holds(seen)) return seen;
            if (nowMs() > end) throw new Error(`not in ${limitMs} ms: ${JSON.stringify(seen)}`);
            await new Promise((done) => setTimeout(done, 5));
        }
    }

    async #post(path, body) {
        const answer = await fetch(this.url + path, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
        });
        if (!answer.ok) throw new Error(`upstream control: ${answer.status}`);
    }
}

async function start(command, args, env) {
    const child = spawn(command, args, {
        env: { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (text) => { stderr += text; });
    const ended = new Promise((done) => child.once('close', done));
    const lines = createInterface({ input: child.stdout });
    const line = await Promise.race([
        new Promise((done) => lines.once('line', done)),
        new Promise((done) => child.once('error', (error) => { stderr += error; done(null); })),
        ended.then(() => null),
        new Promise((done) => setTimeout(done, readyLimitMs, null).unref()),
    ]);
    if (line === null) {
        child.kill('SIGKILL');
        throw new Error(`${command} did not become ready: ${stderr}`);
    }
    return { child, ended, ready: JSON.parse(line), stderr: () => stderr };
}

async function stopAll(processes, folder) {
    for (const { child, ended, stderr } of processes) {
        child.kill('SIGTERM');
        const code = await Promise.race([
            ended,
            new Promise((done) => setTimeout(done, 10_000, 'late').unref()),
        ]);
        child.kill('SIGKILL');
        if (code !== 0) throw new Error(`${child.spawnfile} ended with ${code}: ${stderr()}`);
    }
    await rm(folder, { recursive: true, force: true });
}
