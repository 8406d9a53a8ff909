import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { BenchmarkResult } from '../../ts/benchmark/result.js';
import { Sandbox } from './sandbox.js';

const box = new Sandbox();
afterAll(() => box.remove());
const quick = ['--shapes', 'overhead', '--rounds', '2', '--patience', '0', '--threads', '1'];

describe('polydomain benchmark', () => {
  it('measures polydomain alone', async () => {
    const stdout = await box.done(['benchmark', ...quick, '--no-peers', '--json', '-o', 'b.json']);
    const result = JSON.parse(stdout) as BenchmarkResult;
    expect(box.json('b.json')).toEqual(result);
    expect(result).toMatchObject({ threads: 1, rounds: 2, missing: {}, failed: {} });
    expect(Object.keys(result.shapes)).toEqual(['overhead']);
    const { train, score, row, callers, peakBytes, floor } = result.shapes.overhead ?? {};
    for (const timing of [train, score, row]) {
      expect(Object.keys(timing ?? {})).toEqual(['polydomain']);
      expect(timing?.polydomain?.rounds).toHaveLength(2);
      expect(timing?.polydomain?.median).toBeGreaterThan(0);
    }
    expect(row?.polydomain?.p99).toBeGreaterThanOrEqual(row?.polydomain?.median ?? Number.NaN);
    expect(callers?.polydomain?.rowsPerSecond).toBeGreaterThan(0);
    expect(peakBytes?.polydomain).toBeGreaterThan(1e7);
    expect(floor).toBeUndefined();
  }, 60_000);

  it('names a peer that is not installed, and says how to install it', async () => {
    const args = ['benchmark', ...quick, '--peers', 'pytorch'];
    const { code, stdout, stderr } = await box.run(args, {
      env: { POLYDOMAIN_PYTHON: '/nowhere/python' },
    });
    expect(code).toBe(0);
    expect(stderr).toMatch(/pytorch is not installed.*pip install torch/s);
    expect(stdout).toMatch(/^pytorch( +absent){7}$/m);
    expect(stdout).toMatch(/^pytorch is not installed: .*pip install torch/m);
  }, 60_000);

  it.each([
    ['that ends', "console.error('no memory'); process.exit(1)", /'shape': .*code 1: no memory/],
    [
      'that does other work',
      `process.stdin.on('data', (line) => console.log(JSON.stringify(
         { version: '1', logits: Array(32).fill(7), cpuSeconds: 0, peakRssBytes: 1 })))`,
      /row 0 scores 7; expected -?0\.\d+, as polydomain has it/,
    ],
  ])(
    'names a peer %s, and says why',
    async (_, script, reason) => {
      box.write('peer.mjs', script);
      box.write('python', `#!/bin/sh\n[ "$1" = -c ] || exec node '${box.path('peer.mjs')}'\n`);
      chmodSync(box.path('python'), 0o755);
      const args = ['benchmark', ...quick, '--peers', 'pytorch'];
      const { code, stdout, stderr } = await box.run(args, {
        env: { POLYDOMAIN_PYTHON: box.path('python') },
      });
      expect(code).toBe(0);
      expect(stderr).toMatch(reason);
      expect(stdout).toMatch(/^pytorch( +failed){7}$/m);
      expect(stdout).toMatch(reason);
    },
    60_000,
  );

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '%s ends it with its peers, and leaves no file',
    async (signal) => {
      const temporary = box.path(signal);
      mkdirSync(temporary);
      const args = ['benchmark', '--shapes', 'small', '--no-peers', '-o', 'interrupted.json'];
      const { child, finished, says } = box.start(args, { env: { TMPDIR: temporary } });
      expect(await says('small, train')).toBe(true);
      const peers = execFileSync('pgrep', ['-P', `${child.pid}`], { encoding: 'utf8' })
        .trim()
        .split('\n');
      expect(peers).toHaveLength(1);
      child.kill(signal);
      const { code, stdout, stderr } = await finished;
      expect(stderr).toMatch(`interrupted by ${signal}`);
      expect(code).toBe(130);
      expect(stdout).toBe('');
      expect(peers.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
      expect(readdirSync(temporary)).toEqual([]);
      expect(box.exists('interrupted.json')).toBe(false);
    },
    60_000,
  );

  it.each([
    [['--peers', 'pytorhc'], /ConfigError: peers: 'pytorhc'; did you mean 'pytorch'/],
    [['--shapes', 'papre'], /ConfigError: shapes: 'papre'; did you mean 'paper'/],
    [['--rounds', '0'], /expected an integer of 1 at least/],
  ])('refuses %s', async (args, message) => {
    const { code, stdout, stderr } = await box.run(['benchmark', ...args]);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});
