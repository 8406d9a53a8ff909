import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { Peer, PeerError } from '../ts/benchmark/peer.js';
import { median, quantile } from '../ts/benchmark/statistics.js';
import { stolenSeconds } from '../ts/benchmark/undisturbed.js';

describe('a peer', () => {
  const node = (script: string): Peer => new Peer('fake', [process.execPath, '-e', script]);

  it('answers line by line', async () => {
    const peer = node(`process.stdin.on('data', (line) => {
      const { command, x } = JSON.parse(line);
      if (command === 'quit') process.exit();
      console.log(JSON.stringify(command === 'double' ? { y: 2 * x } : { error: 'no such command' }));
    })`);
    expect(await peer.ask('double', { x: 21 })).toEqual({ y: 42 });
    await expect(peer.ask('halve')).rejects.toThrow(PeerError);
    await expect(peer.ask('halve')).rejects.toThrow("fake, 'halve': no such command");
    await peer.end();
  });

  it('that dies is told of with its last words', async () => {
    const peer = node("console.error('out of luck'); process.exit(3)");
    await expect(peer.ask('train')).rejects.toThrow(/it ended with code 3: out of luck/);
  });

  it('ends whatever it is at', async () => {
    const peer = node('setInterval(() => {}, 1000)');
    const answer = peer.ask('train');
    await peer.end();
    await expect(answer).rejects.toThrow("fake, 'train': it was ended by SIGKILL");
  });

  it('that cannot be started is told of', async () => {
    const peer = new Peer('fake', ['/nowhere/python']);
    await expect(peer.ask('train')).rejects.toThrow(/ENOENT/);
    await peer.end();
  });
});

it('time that the host of a virtual machine took is the eighth number of all cores', () => {
  const first = 'cpu  2202016 359946 279629 3092367 7108 0 1912 3288 0 0';
  expect(stolenSeconds(`${first}\ncpu0 1 2 3 4 5 6 7 8 9 10\n`)).toBeCloseTo(32.88, 12);
  // Kernels before 2.6.11 do not count it.
  expect(stolenSeconds('cpu  2202016 359946 279629 3092367 7108 0 1912\n')).toBe(0);
});

it('quantiles lie between neighbours, as those of numpy', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(quantile([5, 1, 2, 4, 3], 0.99)).toBeCloseTo(4.96, 12);
  expect(quantile([7], 0.99)).toBe(7);
});

it("the documents' tables are those of the committed results", () => {
  execFileSync(process.execPath, ['benchmarks/tables.mjs', '--check'], { stdio: 'pipe' });
});
