/** Starting children, losing them, and the engine that brings them back; with a real Node and real processes. */
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../../../extension/children/engine.ts';
import { startChild, type Child } from '../../../extension/children/start-child.ts';
import { Cancelled, PeerGone, UserError } from '../../../extension/contract/errors.ts';
import { connect } from '../../../extension/contract/rpc.ts';
import { apiVersion, type RunnerApi } from '../../../extension/contract/api.ts';
import type { SitesReport } from '../../../extension/contract/site.ts';

const folder = mkdtempSync(join(tmpdir(), 'attnscope-children-')), scripts = { runner: join(folder, 'runner.cjs'), analysis: join(folder, 'analysis.cjs') };
const script = (name: string, text: string): string => { const file = join(folder, `${name}.cjs`); writeFileSync(file, text); return file; };
const children: Child[] = [], engines: Engine[] = [];
type Answer = SitesReport & { readonly pid: number; readonly set?: string };

beforeAll(async () => {
  await build({ entryPoints: [join(import.meta.dirname, 'fixtures/stand-in.ts')], bundle: true, platform: 'node', format: 'cjs', target: 'node20', outfile: scripts.runner, logLevel: 'error' });
  copyFileSync(scripts.runner, scripts.analysis);
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('end of test');
  for (const engine of engines.splice(0)) await engine.dispose();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start(options: Partial<Parameters<typeof startChild>[0]> = {}): Promise<Child> {
  const child = await startChild({ role: 'runner', script: scripts.runner, ...options });
  children.push(child);
  return child;
}
const failure = (promise: Promise<unknown>): Promise<UserError> => promise.then(() => { throw new Error('it started'); }, (error: unknown) => { expect(error).toBeInstanceOf(UserError); return error as UserError; });
const alive = (pid: number): boolean => { try { process.kill(pid, 0); return true; } catch { return false; } };
async function until(what: () => boolean, ms: number): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end;) { if (what()) return true; await new Promise(resolve => setTimeout(resolve, 20)); }
  return what();
}

describe('a child', () => {
  it('says who it is, and answers', async () => {
    const child = await start();
    expect(child.hello).toMatchObject({ role: 'runner', pid: child.pid, versions: { node: process.versions.node, onnxruntime: '0.0' } });
    expect(await connect<RunnerApi>(child.port).sites({ model: 'm' })).toMatchObject({ pid: child.pid });
  });
  it('says why it is gone: exit code, signal, and that it was killed', async () => {
    const exits = await start(), client = connect<RunnerApi>(exits.port);
    await expect(client.sites({ model: 'exit' })).rejects.toEqual(new PeerGone('The runner stopped with exit code 7.'));
    const aborts = await start();
    await expect(connect<RunnerApi>(aborts.port).sites({ model: 'abort' })).rejects.toEqual(new PeerGone('The runner stopped: it ended with SIGABRT.'));
    const killed = await start();
    process.kill(killed.pid, 'SIGKILL');
    expect(await killed.closed).toBe('The runner stopped: it was killed (SIGKILL), perhaps because the machine ran out of memory.');
    const ours = await start();
    ours.kill('The run was cancelled.');
    expect(await ours.closed).toBe('The run was cancelled.');
  });
  it('sends what it prints to the log', async () => {
    const lines: string[] = [], child = await start({ onLog: line => lines.push(line) });
    await connect<RunnerApi>(child.port).sites({ model: 'log' });
    expect(await until(() => lines.includes('a line for the log'), 2000)).toBe(true);
  });
});

describe('a child that does not fit', () => {
  const greeting = (change: string): string => `
    const { serialize } = require('node:v8');
    console.log(JSON.stringify({ apiVersion: ${apiVersion}, role: 'runner', pid: 1, versions: { node: '99.0.0', v8: '99.9' }, reads: true,
      wire: serialize({ text: 'attnscope', floats: new Float32Array([1, 2.5]), list: [] }).toString('base64'), ${change} }));
    setInterval(() => {}, 1000);`;
  it.each([
    ['speaks another version', greeting('apiVersion: 99'), `it speaks version 99 of the protocol, and version ${apiVersion} is needed`],
    ['is another process', greeting("role: 'analysis'"), 'it is the analysis, not the runner'],
    ['writes what we cannot read', greeting("wire: Buffer.from([255, 200, 1, 2]).toString('base64')"), "its Node.js 99.0.0 (V8 99.9) and this one"],
    ['cannot read what we write', greeting('reads: false'), "cannot read each other's messages"],
    ['prints something else', 'console.log("hello"); setInterval(() => {}, 1000);', 'its first line was "hello"'],
    ['ends at once', 'console.error("no such flag"); process.exit(9);', 'it stopped with exit code 9; no such flag'],
    ['says nothing', 'setInterval(() => {}, 1000);', 'it said nothing for 1 seconds'],
  ])('%s', async (name, text, why) => {
    const error = await failure(start({ script: script(name.replaceAll(' ', '-'), text), greetingMs: name === 'says nothing' ? 600 : 10_000 }));
    expect(error.message).toContain(why);
    expect(error.message).toContain(process.execPath);
    expect(error.remedy).toBe('Check the setting attnscope.engine.node, or reinstall AttnScope.');
  });
  it('runs on a program that is not there, or no Node', async () => {
    expect((await failure(start({ node: join(folder, 'none') }))).message).toMatch(/^The runner could not be started on .*none: .*ENOENT/);
    expect((await failure(start({ node: '/bin/true' }))).message).toContain('it stopped with exit code 0');
  });
});

it('a child ends with its parent, even while it is inside a call that does not return', async () => {
  const parent = script('parent', `
    const { fork } = require('node:child_process');
    const child = fork(${JSON.stringify(scripts.runner)}, [], { serialization: 'advanced', stdio: ['ignore', 'pipe', 'inherit', 'ipc'], env: { ...process.env } });
    child.stdout.once('data', () => {
      child.on('message', message => { if ('progress' in message) setTimeout(() => console.log(child.pid), 300); });
      child.send({ call: 1, method: 'capture', request: { out: ${JSON.stringify(join(folder, 'orphan'))}, model: 'block' } });
    });`);
  const running = spawn(process.execPath, [parent], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = Number(await new Promise<string>(resolve => running.stdout.once('data', (data: Buffer) => resolve(data.toString()))));
  expect(alive(pid)).toBe(true);
  running.kill('SIGKILL');
  expect(await until(() => !alive(pid), 3000)).toBe(true);
});

describe('the engine', () => {
  const engine = (extra: object = {}): Engine => { const made = new Engine({ scripts, ...extra }); engines.push(made); return made; };
  it('starts a child when it is needed, once', async () => {
    const own = engine();
    expect(await own.hellos()).toEqual([]);
    const [a, b] = await Promise.all([own.sites('m'), own.sites('m')]) as [Answer, Answer];
    expect(a.pid).toBe(b.pid);
    expect(a.set).toBe('0');
    expect((await own.hellos()).map(hello => hello.role)).toEqual(['runner']);
    expect((await own.analysis()) === (await own.analysis())).toBe(true);
  });
  it('cancels a run within a second, removes what it left, and goes on; analysis does not notice', async () => {
    const gone: string[] = [], own = engine({ onGone: (role: string, reason: string) => gone.push(`${role}: ${reason}`) }), out = join(folder, 'cancelled.attntrace');
    const before = (await (await own.analysis()).device({})).why, controller = new AbortController();
    let since = 0;
    const run = own.capture({ model: 'block', prompt: { kind: 'ids', ids: [1] }, out }, { signal: controller.signal, onProgress: () => setTimeout(() => { since = Date.now(); controller.abort(); }, 100) });
    await expect(run).rejects.toBeInstanceOf(Cancelled);
    expect(Date.now() - since).toBeLessThan(10_000);
    for (const suffix of ['part', 'side', 'capture']) expect(existsSync(`${out}.${suffix}`)).toBe(false);
    expect((await (await own.analysis()).device({})).why).toBe(before);
    expect(await own.sites('again')).toMatchObject({ model: 'again' });
    expect(gone).toEqual([]);
  });
  it('tells of a runner that dies, fails what was pending, and starts another', async () => {
    const gone: string[] = [], own = engine({ onGone: (role: string, reason: string) => gone.push(`${role}: ${reason}`) }), out = join(folder, 'died.attntrace');
    const { pid } = await own.sites('m') as Answer;
    const run = own.capture({ model: 'block', prompt: { kind: 'ids', ids: [1] }, out }, { onProgress: () => setTimeout(() => process.kill(pid, 'SIGKILL'), 50) });
    await expect(run).rejects.toBeInstanceOf(PeerGone);
    expect(existsSync(`${out}.part`)).toBe(false);
    expect((await own.sites('m') as Answer).pid).not.toBe(pid);
    expect(gone).toEqual(['runner: The runner stopped: it was killed (SIGKILL), perhaps because the machine ran out of memory.']);
  });
  it('restarts one child on request and fails its calls with that reason', async () => {
    const own = engine(), { pid } = await own.sites('m') as Answer;
    const run = own.capture({ model: 'block', prompt: { kind: 'ids', ids: [1] }, out: join(folder, 'restarted.attntrace') }).catch((error: unknown) => error);
    await new Promise(resolve => setTimeout(resolve, 200));
    await own.restart('runner');
    expect(await run).toEqual(new PeerGone('The runner was restarted.'));
    expect((await own.sites('m') as Answer).pid).not.toBe(pid);
  });
  it('passes refusals through, and keeps a finished capture', async () => {
    const own = engine(), out = join(folder, 'quick.attntrace');
    await expect(own.sites('refuse')).rejects.toEqual(new UserError('The model is empty.', 'Choose another.'));
    expect(await own.capture({ model: 'quick', prompt: { kind: 'ids', ids: [1] }, out })).toEqual({ out, part: `${out}.part` });
    expect(existsSync(`${out}.part`)).toBe(true);
  });
  it('says so when a child cannot be started, each time', async () => {
    const own = engine({ node: join(folder, 'none') });
    await expect(own.sites('m')).rejects.toBeInstanceOf(UserError);
    await expect(own.sites('m')).rejects.toBeInstanceOf(UserError);
  });
  it('starts nothing after it was closed', async () => {
    const own = engine();
    await own.sites('m');
    await own.dispose();
    await expect(own.sites('m')).rejects.toBeInstanceOf(PeerGone);
  });
});
